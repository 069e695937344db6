/* SPDX-License-Identifier: Apache-2.0 */
/* topology_texts.h — answers of Kvrocks 2.14 (589b0189) to CLUSTER NODES: three masters, and a
 * replica of the first. */
#ifndef HAUL_TESTS_TOPOLOGY_TEXTS_H
#define HAUL_TESTS_TOPOLOGY_TEXTS_H

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccc"
#define ID_D "dddddddddddddddddddddddddddddddddddddddd"

/* Asked of A, while it gives slots to B. */
#define NODES_OF_A                                                                              \
    ID_D " 127.0.0.1:10493@20493 slave " ID_A " 1796070649660 1796070649661 2 connected\n" ID_C \
         " 127.0.0.1:10876@20876 master - 1796070649660 1796070649661 2 connected "             \
         "10923-16383\n" ID_B                                                                   \
         " 127.0.0.1:11257@21257 master - 1796070649660 1796070649661 2 connected "             \
         "5001-8999 9001-10922\n" ID_A                                                          \
         " 127.0.0.1:11461@21461 myself,master - 1796070649660 1796070649661 2 connected "      \
         "0-5000 9000 [0-5000->-" ID_B "]\n"

/* Asked of B at the same time. */
#define NODES_OF_B                                                                              \
    ID_D " 127.0.0.1:10493@20493 slave " ID_A " 1796070649719 1796070649720 2 connected\n" ID_C \
         " 127.0.0.1:10876@20876 master - 1796070649719 1796070649720 2 connected "             \
         "10923-16383\n" ID_B                                                                   \
         " 127.0.0.1:11257@21257 myself,master - 1796070649719 1796070649720 2 connected "      \
         "5001-8999 9001-10922 [0-5000-<-" ID_A "]\n" ID_A                                      \
         " 127.0.0.1:11461@21461 master - 1796070649719 1796070649720 2 connected "             \
         "0-5000 9000\n"

/* Asked of D, the replica. */
#define NODES_OF_D                                                                  \
    ID_D " 127.0.0.1:10493@20493 myself,slave " ID_A                                \
         " 1796070649738 1796070649739 2 connected\n" ID_C                          \
         " 127.0.0.1:10876@20876 master - 1796070649738 1796070649739 2 connected " \
         "10923-16383\n" ID_B                                                       \
         " 127.0.0.1:11257@21257 master - 1796070649738 1796070649739 2 connected " \
         "5001-8999 9001-10922\n" ID_A                                              \
         " 127.0.0.1:11461@21461 master - 1796070649738 1796070649739 2 connected " \
         "0-5000 9000\n"

#endif
