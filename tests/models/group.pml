/*
 * Two launches that are held at their last rendezvous until both are there.
 *
 * In each the last part of the parent's side waits: it tells a coordinator outside that its launch is there, and goes on
 * when that says so. A rendezvous lies before it, so that the child's parts are done by then. What launch.pml has shown
 * of one launch is taken from there: a child ends with its parent, and the commit word decides between going and giving up.
 *
 * README.md says what the WRONG_ macros select.
 */

#ifndef KILLS
#define KILLS 2
#endif
#ifndef REACH
#define REACH 0
#endif
#define reach(point) assert(REACH != point)
#define both_run 1
#define broken_by_the_other 2
#define broken_by_the_coordinators_death 3
#define failed_behind_the_go 4
#define coordinator_died_between_two_goes 5
#define failed_before_it_was_there 6

/* One claim per line: the check names the one that failed by this line. */
#define claim(name, holds) assert(holds)

mtype = { nothing, go, broken };
mtype = { armed, hot, cancelled };
mtype = { unreported, running, failed };

/* ---- Between a parent and the coordinator: two descriptors, whose closing shows. ---- */

bool there[2];                  /* the launch is at its last rendezvous */
bool gone[2];                   /* it has failed, and said so, or its parent is dead */
mtype told[2] = nothing;
bool coordinator_ended;

/* ---- Of each launch: between the two sides, and what the kernel knows. ---- */

bool set_up[2];                 /* the child's place at the rendezvous before the last */
bool parents_last_place[2];
bool aborted[2];                /* by the parent */
mtype commit[2] = armed;
bool killed_parent[2];
bool killed_child[2];
bool killed_coordinator;
bool child_ended[2];
bool parent_ended[2];

/* ---- The world around. ---- */

bool impatient;                 /* any deadline may pass at any time; else one passes only where nothing else can */
bool child_hangs[2];

/* ---- What really happened: read only by claims. ---- */

bool complete;
bool withdrew_in_time[2];       /* before the group was complete */
bool child_done[2];
bool program_ran[2];
bool went_wrong;                /* anything at all */
mtype report[2] = unreported;

#define other(member) (1 - member)
#define a_deadline_may_pass(member) (impatient || child_hangs[member])

inline withdraw(member)
{
    atomic {
        gone[member] = true;
        withdrew_in_time[member] = withdrew_in_time[member] || !complete;
        printf("coordinator learns: %d is gone\n", member)
    }
}

proctype Child(bit me)
{
    {
        if
        :: atomic { child_done[me] = true; printf("child %d: its parts are done\n", me) }
        :: atomic { went_wrong = true; printf("child %d: a part failed\n", me) };
            goto leave
        :: atomic { went_wrong = true; child_hangs[me] = true; printf("child %d: a part hangs\n", me) };
end_part_hangs:
            false
        fi;
        set_up[me] = true;
        atomic {
            if
            :: parents_last_place[me]
            :: aborted[me] || parent_ended[me] -> goto leave
            fi
        };
        atomic {
            if
            :: commit[me] == armed -> commit[me] = hot
            :: else -> goto leave
            fi
        };
        if
        :: atomic { went_wrong = true; printf("child %d: execve is refused\n", me) };
            goto leave
        :: atomic {
                program_ran[me] = true;
                printf("child %d: the program runs\n", me);
                claim(the_group_is_complete, complete);
                claim(every_member_is_set_up, child_done[0] && child_done[1] && there[0] && there[1]);
                claim(nobody_had_withdrawn, !withdrew_in_time[0] && !withdrew_in_time[1])
            }
        fi;
end_program_runs:
        false;
leave:
        skip
    } unless { killed_child[me] };
    child_hangs[me] = false;
    child_ended[me] = true
}

proctype Parent(bit me)
{
    {
#ifndef WRONG_HELD_BEFORE_THE_CHILD_IS_DONE
        atomic {
            if
            :: set_up[me]
            :: child_ended[me] -> reach(failed_before_it_was_there); goto give_up
            :: !set_up[me] && a_deadline_may_pass(me) -> went_wrong = true; goto give_up
            fi
        };
#endif

        /* The part that waits. */
        atomic { there[me] = true; printf("coordinator learns: %d is there\n", me) };
        atomic {
            if
            :: told[me] == go
            :: told[me] == broken -> reach(broken_by_the_other); goto give_up
            :: told[me] == nothing && coordinator_ended -> reach(broken_by_the_coordinators_death);
#ifndef WRONG_END_OF_FILE_TAKEN_AS_GO
                goto give_up
#endif
            :: child_ended[me] -> goto give_up
            :: told[me] == nothing && a_deadline_may_pass(me) -> went_wrong = true; goto give_up
            fi
        };

        parents_last_place[me] = true;
        atomic {
            if
            :: program_ran[me] -> report[me] = running; printf("parent %d reports: running\n", me); goto reported
            :: child_ended[me] && !program_ran[me] -> reach(failed_behind_the_go)
            :: !program_ran[me] && a_deadline_may_pass(me) -> went_wrong = true
            fi
        };

give_up:
        atomic {
            if
            :: commit[me] == armed -> commit[me] = cancelled
            :: else
            fi
        };
        aborted[me] = true;
        atomic {
            if
            :: child_ended[me]
            :: !child_ended[me] && (a_deadline_may_pass(me) || program_ran[me]) -> killed_child[me] = true
            fi
        };
        child_ended[me];

        /* The undo, and the caller that is told of the failure. */
#ifdef WRONG_TOLD_ONLY_OF_WHO_WAS_THERE
        if
        :: there[me] -> withdraw(me)
        :: else
        fi;
#else
#ifndef WRONG_NOT_TOLD
        withdraw(me);
#endif
#endif
        atomic { report[me] = failed; printf("parent %d reports: failed\n", me) };
        goto reported
    } unless { killed_parent[me] };

    /* Its descriptors are closed, and its child is killed: what launch.pml claims of one launch. */
    withdraw(me);
    atomic {
        parent_ended[me] = true;
        if
        :: !program_ran[me] -> killed_child[me] = true
        :: else
        fi
    };
reported:
    skip
}

proctype Coordinator()
{
    {
        atomic {
            if
#ifdef WRONG_ARRIVALS_ARE_COUNTED
            :: there[0] && there[1] -> complete = true
#else
            :: there[0] && there[1] && !gone[0] && !gone[1] -> complete = true
#endif
            :: gone[0] || gone[1]
#ifdef WRONG_NOT_YET_TAKEN_FOR_BROKEN
            :: there[0] && !there[1]
#endif
            fi;
            printf("coordinator: complete %d\n", complete)
        };
        told[0] = (complete -> go : broken);
        told[1] = (complete -> go : broken)
    } unless { killed_coordinator };
    atomic {
        coordinator_ended = true;
        if
        :: told[0] == go && told[1] == nothing -> reach(coordinator_died_between_two_goes)
        :: else
        fi
    }
}

/* A SIGKILL from outside, at any instruction, or not at all. The two members are alike. */
proctype Killer()
{
#if KILLS > 1
    if
    :: atomic { went_wrong = true; killed_parent[0] = true; printf("parent 0 is killed from outside\n") }
    :: true
    fi;
#endif
#if KILLS > 0
    if
    :: atomic { went_wrong = true; killed_parent[1] = true; printf("parent 1 is killed from outside\n") }
    :: atomic { went_wrong = true; killed_child[0] = true; printf("child 0 is killed from outside\n") }
    :: atomic { went_wrong = true; killed_child[1] = true; printf("child 1 is killed from outside\n") }
    :: atomic { went_wrong = true; killed_coordinator = true; printf("the coordinator is killed from outside\n") }
    :: true
    fi;
#endif
    skip
}

/* Nothing can move any more: whoever is not done now never will be. */
proctype Referee()
{
    timeout ->
    d_step {
        claim(each_living_parent_reports, (report[0] != unreported || killed_parent[0]) && (report[1] != unreported || killed_parent[1]));
        claim(a_group_without_failure_runs, went_wrong || (program_ran[0] && program_ran[1]));
        if
        :: report[0] == running && report[1] == running -> reach(both_run)
        :: else
        fi
    }
}

init
{
    atomic {
        if
        :: impatient = true
        :: true
        fi;
        run Killer();
        run Coordinator();
        run Parent(0);
        run Parent(1);
        run Child(0);
        run Child(1);
        run Referee()
    }
}
