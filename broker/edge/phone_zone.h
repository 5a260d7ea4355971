/* phone_zone.h — in which time zone a phone number may be. It may be wrong: numbers are kept by people who move. */
#ifndef LINEWARD_EDGE_PHONE_ZONE_H
#define LINEWARD_EDGE_PHONE_ZONE_H

/* An IANA zone, or the easternmost and the westernmost one with a comma where there are several; NULL: nobody knows (an
 * e-mail address, a number of no country). Not for several threads at once. */
const char *phone_zone(const char *handle);

#endif
