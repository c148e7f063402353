/*
 * A network of its own for a test program, in which packets can be dropped: no root is needed
 * for it, only nft, ss (packages nftables and iproute2) and a kernel that allows namespaces.
 *
 * Everything the program starts lives in it too. Clients are told apart by roads: road R leads
 * to member M of a cluster by the address 127.0.R.M, so cutting one road cuts one client.
 * Members reach each other by 127.1.FROM.TO.
 */
#ifndef YR_TESTS_NETNS_H
#define YR_TESTS_NETNS_H

#include <stdbool.h>

enum { YR_NET_ROADS = 200 }; /* numbered from 0 */

/*
 * Call it first in main(): runs the program again inside a namespace. Returns 0 inside; else
 * what main() has to return: a skip, with the reason said loudly, when there can be none.
 */
int yr_net_enter(char **argv);

/* Whether the program runs inside. */
bool yr_net_is_inside(void);

/* What of the packets is lost. */
typedef enum yr_net_loss {
    YR_NET_BOTH,        /* all */
    YR_NET_TO_SERVER,   /* what clients send */
    YR_NET_FROM_SERVER, /* what members send */
    YR_NET_NEW,         /* only what begins a connection (SYN) */
} yr_net_loss;

/* Cut roads @p first to @p last, until yr_net_heal(). */
void yr_net_cut(int first, int last, yr_net_loss loss);

/* Cut the way of every road to member @p member (1, 2, 3). */
void yr_net_cut_endpoint(int member, yr_net_loss loss);

/* Cut a member from the other members, and leave it to its clients. */
void yr_net_cut_member(int member);

/* Drop the packets that match an nft expression. */
void yr_net_drop(const char *expression);

/* Lose nothing any more. */
void yr_net_heal(void);

/* Reset the connections of a road, both ends at once (ss -K). */
void yr_net_reset(int road);

/* Drop from now on what belongs to the present connections of a road; new ones are well. */
void yr_net_forget(int road);

/* Let everybody inside read @p text in place of a file (/etc/hosts); again: something else. */
void yr_net_pretend(const char *path, const char *text);

/* Run a program to its end, with nothing on its stdin; whether it exited with 0. */
bool yr_net_run(const char *const *arguments);

#endif /* YR_TESTS_NETNS_H */
