/*
 * The setup of one launch where the two sides share memory and meet by words: each side writes which rendezvous it has
 * come to into a word of its own, sleeps while the other's word is what it saw (futex), and wakes the other only if that
 * has come as far. The kernel makes the child's word 0, and wakes, when the child leaves the memory.
 *
 * The first rendezvous is that of a step whose child's part comes first: the child does not wait there. At the second both
 * wait. The third is the last: there the parent sleeps on until the child has left the memory.
 *
 * README.md says what the macros select.
 */

#define PARENT 0
#define CHILD 1

#define LAST 3
#define GIVEN_UP 9
#define LEFT 0
#define childs_word_at(rendezvous) (rendezvous + 1)

#ifndef REACH
#define REACH 0
#endif
#define reach(point) assert(REACH != point)
#define program_reported_running 1
#define the_child_slept 2
#define the_parent_slept 3
#define the_child_was_not_woken_for_it_came_later 4
#define child_left_while_the_parent_slept 5
#define told_to_end_while_it_slept 6
#define found_an_orphan_by_a_look 7
#define late_but_hot 8

#define claim(name, holds) assert(holds)

mtype = { armed, hot, cancelled };
mtype = { unreported, running, failed };

byte childs_word = childs_word_at(0);
byte parents_word;
mtype commit = armed;
bool failure_told;

bool asleep[2];                 /* in its futex, and not woken yet */
bool killed[2];
bool ended[2];
bool tied;                      /* the child's parent-death signal */
bool orphaned;                  /* what getppid tells; changes together with that signal */
bool impatient;
bool child_hangs;

bool child_done[2];
bool parent_done;
bool program_ran;
mtype report = unreported;
byte reports;
bool won;

#define a_deadline_may_pass (impatient || child_hangs)

inline wake(side) { asleep[side] = false }

inline tie_to_parent()
{
#ifndef SIGNAL_REFUSED
    tied = true;
#endif
#ifndef WRONG_TIE_IS_NOT_VERIFIED
    if
    :: orphaned -> goto leave
    :: else
    fi
#endif
}

inline part_of_child(number)
{
    if
    :: child_done[number] = true
    :: failure_told = true; goto leave
    :: child_hangs = true; goto end_part_hangs
    fi
}

inline announce(number)
{
#ifdef WRONG_LOOKS_BEFORE_IT_WRITES
    seen = parents_word;
    childs_word = childs_word_at(number);
    if
    :: seen >= number -> wake(PARENT)
    :: else
    fi
#else
    childs_word = childs_word_at(number);
    if
    :: number != LAST && parents_word >= number -> wake(PARENT)
    :: else
    fi
#endif
}

inline await_parent(number)
{
    do
    :: seen = parents_word;
        if
        :: seen >= number -> break
        :: else
        fi;
        atomic {
            if
            :: parents_word == seen -> asleep[CHILD] = true; reach(the_child_slept)
            :: else
            fi
        };
        if
        :: !asleep[CHILD]
#ifndef WRONG_NO_LOOK
        :: asleep[CHILD] && orphaned -> reach(found_an_orphan_by_a_look); goto leave
#endif
        fi
    od;
    if
    :: seen == GIVEN_UP -> goto leave
    :: else
    fi
}

proctype Child()
{
    byte seen;
    {
        tie_to_parent();
        part_of_child(0);
        announce(1);

        tied = false;           /* its part has changed its identity */
        tie_to_parent();
        part_of_child(1);
        announce(2);
        await_parent(2);
        claim(the_parents_part_was_done, parent_done);

        announce(LAST);
#ifndef WRONG_DOES_NOT_WAIT_AT_THE_LAST
        await_parent(LAST);
#endif
        atomic {
            if
            :: commit == armed -> commit = hot
            :: else -> goto leave
            fi;
#ifndef SIGNAL_REFUSED
            claim(no_commitment_after_the_parents_death, !orphaned)
#endif
        };
        tied = false;
        if
        :: failure_told = true; goto leave      /* execve is refused */
        :: true
        fi;
        atomic {
            program_ran = true;
            claim(every_part_was_done, child_done[0] && child_done[1] && parent_done && parents_word >= LAST)
        };
        childs_word = LEFT;
        wake(PARENT);
end_program_runs:
        false;
end_part_hangs:
        false
    } unless { killed[CHILD] };
leave:
#ifndef WRONG_NOT_CLEARED_BY_A_DEATH
    if
    :: !program_ran || childs_word != LEFT -> childs_word = LEFT; wake(PARENT)
    :: else -> wake(PARENT)
    fi;
#endif
    ended[CHILD] = true
}

inline arrive(number, child_waits)
{
    parents_word = number;
    if
    :: child_waits && childs_word >= childs_word_at(number) -> wake(CHILD)
    :: else ->
        if
        :: child_waits && childs_word != LEFT -> reach(the_child_was_not_woken_for_it_came_later)
        :: else
        fi
    fi
}

inline await_child(number)
{
    late = false;
    do
    :: seen = childs_word;
        if
#ifdef WRONG_LEFT_TAKEN_AS_PLACE
        :: seen == LEFT -> break
#else
        :: seen == LEFT && commit == hot -> break
        :: seen == LEFT && commit != hot -> goto give_up
#endif
        :: seen != LEFT && seen >= childs_word_at(number) && (number != LAST || late) -> break
        :: else
        fi;
        if
        :: late -> goto give_up
        :: else
        fi;
#ifdef WRONG_SLEEPS_ON_A_SECOND_LOOK
        seen = childs_word;
#endif
        atomic {
            if
            :: childs_word == seen -> asleep[PARENT] = true; reach(the_parent_slept)
            :: else
            fi
        };
        if
        :: !asleep[PARENT] ->
            if
            :: childs_word == LEFT && !program_ran -> reach(child_left_while_the_parent_slept)
            :: else
            fi
        :: asleep[PARENT] && a_deadline_may_pass -> asleep[PARENT] = false; late = true
        fi
    od
}

proctype Parent()
{
    byte seen;
    bool late;
    {
        arrive(1, false);
        await_child(1);
        claim(the_childs_part_was_done, child_done[0]);
        if
        :: parent_done = true
        :: goto give_up
        fi;
        arrive(2, true);
        await_child(2);
        arrive(LAST, true);
        await_child(LAST);

        /* It has left, or it is late: then only one that is hot already may go on. */
        do
        :: childs_word == LEFT -> break
        :: childs_word != LEFT ->
            if
            :: commit != hot -> goto give_up
            :: commit == hot -> reach(late_but_hot)
            fi;
            if
            :: childs_word == LEFT
            :: a_deadline_may_pass -> goto give_up
            fi
        od;
        /* Whether it has executed a program shows in its memory, and in a flag. */
        if
        :: commit == hot && !failure_told && program_ran -> skip
        :: else -> goto give_up
        fi;
        atomic {
            report = running;
            reports++;
            claim(a_running_program_ran, program_ran);
            reach(program_reported_running)
        };
        goto reported;
give_up:
        atomic {
            if
            :: commit == armed -> commit = cancelled; won = true
            :: else
            fi
        };
        parents_word = GIVEN_UP;
#ifndef WRONG_NOT_WOKEN_TO_END
        atomic {
            if
            :: asleep[CHILD] -> reach(told_to_end_while_it_slept)
            :: else
            fi;
            wake(CHILD)
        };
#endif
        if
        :: ended[CHILD]
        :: !ended[CHILD] && (impatient || child_hangs || program_ran) -> killed[CHILD] = true
        fi;
        ended[CHILD];
        atomic { report = failed; reports++; claim(never_ran_means_never, !won || !program_ran) }
    } unless { killed[PARENT] };
    /* Killed, or its report is made. */
    if
    :: killed[PARENT] && reports == 0 ->
        atomic {
            orphaned = true;
            if
            :: tied -> killed[CHILD] = true
            :: else
            fi
        };
        ended[PARENT] = true
    :: else
    fi;
reported:
    skip
}

proctype Killer(bit victim)
{
    if
    :: killed[victim] = true
    :: true
    fi
}

#ifdef SIGNAL_REFUSED
#define may_outlive (child_hangs)
#else
#define may_outlive (false)
#endif

/* Nothing can move any more. */
proctype Referee()
{
    timeout ->
    d_step {
        claim(a_living_parent_reports_once, reports == 1 || killed[PARENT]);
        claim(a_failure_leaves_nothing, report != failed || ended[CHILD]);
        claim(an_uncommitted_child_ends_with_its_parent, !ended[PARENT] || ended[CHILD] || program_ran || may_outlive)
    }
}

init
{
    atomic {
        if
        :: impatient = true
        :: true
        fi;
        run Killer(PARENT);
        run Killer(CHILD);
        run Parent();
        run Child();
        run Referee()
    }
}
