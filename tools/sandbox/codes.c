/* codes.c — one table. Where the sources give two statuses, or one of a class only, the newest word stands. Codes
 * that only webhooks carry (4006 to 4008) are here as well: on request anything can be answered. */
#include "tools/sandbox/codes.h"

#include <stddef.h>

static const struct {
    int code, http;
    const char *message;
} codes[] = {
    {1001, 400, "Missing required field"},
    {1002, 400, "Phone number must be in E.164 format"},
    {1003, 400, "Invalid request body"},
    {1004, 400, "Invalid message content"},
    {1005, 400, "Invalid parameter value"},
    {1006, 409, "Direct chats cannot be updated"},
    {1007, 429, "Rate limited"},
    {1008, 400, "Invalid iMessage app message"},
    {2001, 404, "Chat not found"},
    {2002, 404, "Message not found"},
    {2003, 404, "Attachment not found"},
    {2004, 401, "Unauthorized"},
    {2005, 403, "Access denied"},
    {2006, 403, "Phone number permission denied"},
    {2007, 404, "Attachment not ready"},
    {2008, 403, "Recipient not allowed"},
    {2009, 409, "Chat is still being created"},
    {2010, 404, "Webhook subscription not found"},
    {2011, 403, "Feature not enabled"},
    {2012, 404, "Contact card not found"},
    {2013, 409, "Chat is unavailable"},
    {2014, 409, "Contact card already exists"},
    {2015, 409, "Conflicts with the current state"},
    {2016, 409, "Not supported in group chats"},
    {2017, 409, "Not supported on this service"},
    {2018, 409, "App cards need iMessage"},
    {2019, 404, "Phone number not found"},
    {2021, 404, "Payment request not found"},
    {2022, 500, "Contact card could not be set up"},
    {2023, 409, "Mention not possible in this chat"},
    {2024, 403, "Recipient has opted out"},
    {2026, 403, "Handle is blocked"},
    {2027, 403, "Phone number is not eligible to send"},
    {2028, 409, "App clips need iMessage"},
    {3001, 500, "Server connection error"},
    {3002, 500, "Server error"},
    {3003, 500, "Server error"},
    {3004, 500, "Server error"},
    {3005, 504, "Network timeout"},
    {3006, 500, "Server error"},
    {3007, 500, "Delivery attempts exhausted"},
    {4001, 500, "Message delivery failed"},
    {4002, 500, "Sending phone number not available"},
    {4003, 500, "Webhook delivery failed"},
    {4004, 503, "Service unavailable"},
    {4005, 422, "Recipient cannot receive this message type"},
    {4006, 500, "Message delivery failed"},
    {4007, 500, "Message delivery failed"},
    {4008, 500, "Message delivery failed"},
    {4009, 503, "No RCS account available"},
    {4010, 503, "RCS check could not run"},
    {5001, 500, "Upload failed"},
    {5002, 500, "Download failed"},
    {5003, 500, "Upload URL could not be made"},
    {5004, 400, "Unsupported file type"},
    {5005, 400, "File too large"},
    {5006, 400, "File type does not match"},
    {5007, 400, "Download failed"},
};
#define CODES (sizeof codes / sizeof *codes)

static size_t code_find(int code)
{
    size_t at = 0;
    while (at < CODES && codes[at].code != code)
        at++;
    return at;
}

bool code_is_known(int code)
{
    return code_find(code) < CODES;
}

int code_status(int code)
{
    size_t at = code_find(code);
    return at < CODES ? codes[at].http : 500;
}

const char *code_message(int code)
{
    size_t at = code_find(code);
    return at < CODES ? codes[at].message : "Internal error";
}
