/* SPDX-License-Identifier: Apache-2.0 */
/* sim_gates.h — cases that the product may not handle yet; 0 until it does. */
#ifndef HAUL_SIM_GATES_H
#define HAUL_SIM_GATES_H

enum {
    SIM_GATE_HISTORIES = 1, /* databases of different versions */
    SIM_GATE_MISTAKES = 1,  /* a part of the requested ranges was handed over before */
    SIM_GATE_EMPTY = 1,     /* the empty key */
    SIM_GATE_LONG = 1,      /* keys that are larger than a journal's positions can hold */
    SIM_GATE_RESERVE = 1,   /* nothing changes before the hook has agreed */
    SIM_GATE_SELF = 1,      /* a job is sent to the database from which it comes */
    SIM_GATE_MANY = 1,      /* more than two databases, and several jobs at once */
    SIM_GATE_LOSS = 1,      /* hosts that are lost for good */
    SIM_GATE_ROT = 1,       /* records that are damaged */
    SIM_GATE_INSTANCE = 1,  /* a copy whose jobs are done is recognized as a copy */
    SIM_GATE_CLONE = 1,     /* copies of databases that live on */
    SIM_GATE_RESET = 1,     /* databases that are set back without the folder beside them */
    SIM_GATE_MOVE = 1,      /* databases that move to another directory */
};

#endif
