/* access.h — who may connect to the ZeroMQ sockets when keys are in force, and who said what (PROTOCOL, Endpoints).
 *
 * Every socket is a CURVE server and a ZAP domain of its own, named after the role that it serves. libzmq asks the
 * handler here, which lives on the owner's thread, about each client that has proven its key: in if the key's file
 * says that role, out in every other case (ZeroMQ RFC 27). It fails closed: no handler, nobody comes in; and
 * access_probe() tries that at the start. A connection outlives its key, so each message is looked up again. */
#ifndef LINEWARD_EDGE_ACCESS_H
#define LINEWARD_EDGE_ACCESS_H

#include "lineward/clock.h"
#include "lineward/keys.h"
#include "lineward/wire.h"

#define ACCESS_PER_TURN 64 /* clients judged in one call */

struct access;

/* Before any socket is bound: the handler of this ZeroMQ context. `ring` is taken over. NULL: errno says. */
struct access *access_new(void *zmq, const struct key_pair *server, struct key_ring **ring_p);
/* After the sockets are closed. */
void access_free(struct access **access_p);

/* Makes the socket a CURVE server for clients of that role; before zmq_bind(). False: errno says. */
bool access_secure(const struct access *access, void *socket, enum key_role role);
void *access_socket(const struct access *access); /* to wait for */
/* Judges who waits, at most ACCESS_PER_TURN. True: there may be more. */
bool access_serve(struct access *access, struct instant now);

const char *access_public_key(const struct access *access); /* the broker's own */
const struct key_ring *access_ring(const struct access *access);
/* From now on these keys are the ones; taken over. Gives back those before, to be compared and freed. */
struct key_ring *access_set_ring(struct access *access, struct key_ring **ring_p);

/* Whose message is this, among clients of that role? NULL: of nobody who is still let in. */
const struct key_grant *access_grant(const struct access *access, const struct message *message, enum key_role role);
/* Is this a routing id that the broker gave? One that the client chose could be somebody else's a moment ago, to whom
 * answers are under way. */
bool access_gave_routing_id(struct frame routing_id);

/* ---- at the start: is the door really shut? ---- */

/* Knocks at a bound socket with a key drawn for it, then without any. True: both were turned away. Else `why` says
 * what happened. */
bool access_probe(struct access *access, void *zmq, void *socket, enum key_role role, char why[256]);

#endif
