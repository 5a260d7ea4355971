/* feed_address.h — HOST:PORT of the configuration as a socket address. */
#ifndef LINEWARD_FEED_ADDRESS_H
#define LINEWARD_FEED_ADDRESS_H

#include <netdb.h>

/* HOST:PORT, [ADDRESS]:PORT or *:PORT, to listen on; the first address that the name has. NULL: there is none. Free
 * with freeaddrinfo(). */
struct addrinfo *feed_address_resolve(const char *endpoint);

#endif
