/*
 * One launch, from the moment the child exists to the parent's report.
 *
 * The plan has two steps. Of the first the child's part comes before the parent's, so a rendezvous lies between them;
 * the two parts of the second have no order. Then comes the last rendezvous, the commit word, execve, and with
 * READINESS the wait for the program's first place on the barrier that it was handed.
 *
 * Any part may fail, the child's may hang, and either side may be killed between any two instructions. A barrier
 * operation is one instruction here: barrier.pml is about what happens inside of one.
 *
 * With WAITING_PART the parent's second part is not done at its first call: it waits for something outside, and is
 * called again. With LAST_PARTS the child has one more part, right before the commit word, that may install a filter.
 * With AFTER_EXECVE the parent has a part behind execve, which may wait as well.
 *
 * README.md says what is left out and what the configuration and WRONG_ macros select.
 */

#define PARENT 0
#define CHILD 1

#define STEP_A 0
#define STEP_B 1
#define LAST_RENDEZVOUS 2
#define READY 3
#define LAST_PART 4
#define BEHIND_EXECVE 5

#ifndef REACH
#define REACH 0
#endif
#define reach(point) assert(REACH != point)
#define program_reported_running 1
#define program_reported_ready 2
#define child_lost_the_commit_word 3
#define parent_lost_the_commit_word 4
#define died_between_hot_and_execve 5
#define execve_failure_reported 6
#define both_sides_failed 7
#define killed_after_the_grace 8
#define ended_within_the_grace 9
#define child_ended_by_its_parents_death 10
#define child_found_its_parent_dead 11
#define program_outlives_its_parent 12
#define program_exited_before_ready 13
#define program_aborted 14
#define program_never_ready 15
#define death_seen_by_pidfd_alone 16
#define execve_hidden_by_foreign_holder 17
#define woken_before_the_flag 18
#define part_was_undone 19
#define program_aborts_over_the_last_place 20
#define part_called_again 21
#define cancelled_in_a_part 22
#define child_died_during_a_part 23
#define deadline_in_a_part 24
#define undone_while_it_waited 25
#define last_part_failed 26
#define died_in_a_last_part 27
#define filter_forbids_execve 28
#define told_although_the_filter_killed 29
#define parent_gone_before_the_last_parts 30
#define committed_after_the_parents_death 31
#define outlived_its_parent_in_a_part 32
#define tied_program_died_with_its_parent 33
#define closed_its_barrier 34
#define held_in_execve 35
#define called_again_behind_execve 36
#define told_of_the_programs_end 37
#define waited_on_behind_the_end 38
#define failed_behind_execve 39
#define undone_behind_execve 40
#define deadline_behind_execve 41

/* One claim per line: the check names the one that failed by this line. */
#define claim(name, holds) assert(holds)

#define name_of(side) (side == PARENT -> parent : child)

mtype = { parent, child };
mtype = { armed, hot, cancelled };
mtype = { none, child_part, parent_part, execve_refused, child_died, deadline, aborted_without_a_word, pipe_closed_early, exited_unready, aborted_unready, deadline_unready, called_off };
mtype = { going_on, reached, aborted_there, peer_gone, timed_out, cancelled_by_caller };
mtype = { unreported, running, ready, failed };
mtype = { never_ran, may_have_run, has_run };

/* ---- The launch record, shared; it survives both. ---- */

mtype commit = armed;
mtype first_failure = none; /* cause and step are one word: claimed and told at once */
byte failed_step;
byte childs_item;               /* only LAST_PART and "elsewhere" are told apart: 0 */

/* ---- The barrier, as far as one instruction shows it. ---- */

byte placed[2];
bool aborted[2];

/* ---- What the kernel knows of the two processes. ---- */

bool killed[2];                 /* a SIGKILL is pending: nothing of its own runs any more */
bool end_open[2] = true;        /* own end of the barrier's pipe */
bool exec_pipe_open = true;     /* the child's end of the pipe that closes on execve */
bool memory_in_use = true;      /* the word that the kernel clears when the child lets go of shared memory */
bool ended[2];                  /* what a pidfd shows */
bool reaped;
bool die_with_parent;           /* the child's parent-death signal */
bool never_execd = true;        /* the child's "forked, never exec'd" flag; it stays until the child is reaped */
bool foreign_holder;            /* somebody has copies of the child's ends */
bool leaked_end;                /* the program left its end of the barrier's pipe to a process of its own */

/* ---- The world around. ---- */

bool impatient;                 /* any deadline may pass at any time; else one passes only where nothing else can */
bool child_hangs;
bool program_hangs;
bool event;                     /* what the parent's part waits for: its descriptor is readable, or its own deadline has passed */
bool no_more_events;
bool cancel;                    /* the caller's descriptor is readable, and stays so */
bool tie_is_asked;              /* the program shall die with its parent, too */

/* ---- What really happened: read only by claims. ---- */

bool child_done[2];
bool last_part_done;
bool parent_done[2];
bool part_waits;                /* it has done something that an undo must take back */
bool done_behind_execve;
bool waits_behind_execve;
bool told_of_the_end;           /* the program's, to the part behind execve */
bool undone;
bool part_failed[2];
bool execve_was_refused;
bool deadline_passed;
bool killed_by_outsider;
bool killed_by_its_filter;
byte filter_struck_in;
byte childs_failed_step;
bool held_by_its_filter;         /* or in its last part */
bool parent_was_there;          /* when the child looked for the last time */
bool closed_a_foreign_descriptor;
bool program_ran;
mtype report = unreported;
mtype reported_cause = none;
mtype reported_run = never_ran;
byte reports;

#define the_child_has_ended (ended[CHILD] || (!end_open[CHILD] && !foreign_holder && !leaked_end))
#define the_parent_has_ended (ended[PARENT] || !end_open[PARENT])

#ifdef WRONG_NO_PIDFD_WHEN_READY
#define the_program_has_ended (!end_open[CHILD] && !foreign_holder && !leaked_end)
#else
#define the_program_has_ended the_child_has_ended
#endif

/* Nothing but a deadline ends these. */
#define a_deadline_may_pass (impatient || ((child_hangs || program_hangs) && !cancel))
#define the_grace_may_pass (impatient || child_hangs || program_hangs || program_ran)
#define only_a_deadline_ends_the_part (no_more_events && !event && !cancel && !the_child_has_ended && !aborted[CHILD])

#ifdef WRONG_NO_DEADLINE_IN_A_PART
#define a_deadline_may_pass_in_a_part (false)
#else
#define a_deadline_may_pass_in_a_part (impatient || only_a_deadline_ends_the_part)
#endif

#ifdef WRONG_CANCELLATION_NOT_WATCHED_IN_A_PART
#define cancelled_there (false)
#else
#define cancelled_there (cancel)
#endif

#ifdef WRONG_DEATH_NOT_WATCHED_IN_A_PART
#define death_shows_in_a_part (false)
#else
#define death_shows_in_a_part (the_child_has_ended)
#endif

#ifdef WRONG_NOT_CALLED_AGAIN
#define event_shows_in_a_part (false)
#else
#define event_shows_in_a_part (event)
#endif

/* The end of the program ends one wait of the part behind execve: it is told, once, and may wait on for something else. */
#define the_end_is_news (ended[CHILD] && !told_of_the_end)
#define only_a_deadline_ends_it_behind (no_more_events && !event && !cancel && !the_end_is_news)
#define a_deadline_may_pass_behind (impatient || only_a_deadline_ends_it_behind)

#ifdef WRONG_PROGRAMS_END_NOT_TOLD
#define the_end_shows_behind (false)
#else
#define the_end_shows_behind (the_end_is_news)
#endif

/* Where there is no signal that comes with the parent's death, a part of the child goes on after it. */
#ifdef NO_DEATH_SIGNAL
#define may_outlive_its_parent (true)
#else
#ifdef LAST_PARTS
#define may_outlive_its_parent (held_by_its_filter && !tie_is_asked)
#else
#define may_outlive_its_parent (false)
#endif
#endif

/* Where nothing is handed over, the barrier's pipe is the one that tells of execve. */
#ifdef ONE_PIPE
#define close_the_exec_pipe end_open[CHILD] = false; exec_pipe_open = false
#else
#define close_the_exec_pipe exec_pipe_open = false
#endif

#ifdef WRONG_PROGRAMS_ABORT_TAKEN_FOR_THE_CHILDS
#define the_program_may_have_aborted (false)
#else
#define the_program_may_have_aborted (commit == hot && first_failure == none)
#endif

#ifdef SHARED_MEMORY
#define execve_or_death_shows (!memory_in_use)
#else
#define execve_or_death_shows (!exec_pipe_open && !foreign_holder)
#endif

#ifdef WRONG_NO_PIDFD_AT_EXECVE
#define pidfd_shows_at_execve (false)
#else
#define pidfd_shows_at_execve (ended[CHILD])
#endif

/* A look at the flag from time to time, for an execve that a foreign holder of the pipe hides. */
#ifdef WRONG_FLAG_LOOKED_AT_ONLY_ONCE
#define flag_shows_execve (false)
#else
#define flag_shows_execve (!never_execd)
#endif

/* It closed the pipe of its barrier, and goes on. */
#ifdef ONE_PIPE
#define hung_up_alive (closed_a_foreign_descriptor)
#else
#define hung_up_alive (false)
#endif

#define wakes_at_execve (execve_or_death_shows || pidfd_shows_at_execve || flag_shows_execve)

inline claim_the_failure(cause, step)
{
    d_step {
        if
        :: first_failure == none ->
            first_failure = cause;
            failed_step = step
        :: else
        fi;
        printf("the record is told %e of step %d, and holds %e of step %d\n", cause, step, first_failure, failed_step)
    }
}

inline abort_the_barrier(side)
{
    atomic { aborted[side] = true; printf("%e aborts\n", name_of(side)) }
}

/* One of the child's parts, from a point where it can still end in every way. */
inline part_of_child(step)
{
    if
    :: atomic { child_done[step] = true; printf("child: part %d done\n", step) }
    :: atomic { part_failed[CHILD] = true; childs_failed_step = step; printf("child: part %d failed\n", step) };
        failing_step = step;
        goto part_failed_here
    :: atomic { child_hangs = true; printf("child: part %d hangs\n", step) };
        goto end_part_hangs
    fi
}

/*
 * The filter kills for a system call, or leaves it to a supervisor, who never answers; what is in the record stays there.
 * Without last parts there is no filter.
 */
inline the_filter_may_strike(in_item)
{
#ifdef LAST_PARTS
    if
    :: atomic { killed_by_its_filter = true; filter_struck_in = in_item; printf("child: killed by its filter\n") };
        goto leave
    :: atomic { child_hangs = true; held_by_its_filter = true; printf("child: held by its filter\n") };
        goto end_part_hangs
    :: true
    fi
#else
    skip
#endif
}

/*
 * No system call of the library comes behind the last parts, so whether the program keeps the signal that comes with
 * the parent's death is settled before. Where it does not, the parent is looked at for the last time.
 */
inline settle_the_tie()
{
#ifdef WRONG_UNTIED_THOUGH_ASKED
    die_with_parent = false;
#else
    if
    :: !tie_is_asked -> die_with_parent = false
    :: else
    fi;
#endif
    atomic {
        parent_was_there = !the_parent_has_ended;
#ifndef WRONG_NOT_LOOKED_AT_AGAIN
        if
        :: the_parent_has_ended -> reach(parent_gone_before_the_last_parts); goto leave
        :: else
        fi
#endif
    }
}

inline last_part_of_child()
{
#ifndef WRONG_LAST_PART_NOT_NOTED
    childs_item = LAST_PART;
#endif
    if
    :: atomic { last_part_done = true; printf("child: last part done\n") }
    :: atomic { part_failed[CHILD] = true; childs_failed_step = LAST_PART; printf("child: last part failed\n") };
#ifdef WRONG_LAST_PART_LEFT_OUT_IF_IT_FAILS
        goto without_it;
#endif
#ifdef WRONG_LAST_PART_TOLD_AS_EXECVE
        failing_step = LAST_RENDEZVOUS;
#else
        failing_step = LAST_PART;
#endif
        goto part_failed_here
    :: atomic { child_hangs = true; held_by_its_filter = true; printf("child: last part hangs\n") };
        goto end_part_hangs
    :: atomic { killed_by_its_filter = true; filter_struck_in = LAST_PART; printf("child: killed by its filter\n") };
        goto leave
    fi;
#ifdef WRONG_LAST_PART_CHANGES_IDENTITY
    die_with_parent = false;
#endif
#ifdef WRONG_LAST_PART_LEFT_OUT_IF_IT_FAILS
without_it:
#endif
    childs_item = 0
}

inline rendezvous_of_child(number)
{
    atomic { placed[CHILD]++; printf("child: placed %d\n", placed[CHILD]) };
    atomic {
        if
        :: aborted[PARENT] -> outcome = aborted_there
        :: !aborted[PARENT] && placed[PARENT] >= number -> outcome = reached
        :: !aborted[PARENT] && placed[PARENT] < number && the_parent_has_ended -> outcome = peer_gone
        fi;
        printf("child: rendezvous %d ends %e\n", number, outcome);
        if
        :: outcome == reached -> outcome = going_on
#ifdef WRONG_CHILD_TAKES_DEATH_AS_GO
        :: outcome == peer_gone -> outcome = going_on
#else
        :: outcome == peer_gone -> goto leave
#endif
        :: outcome == aborted_there -> goto leave
        fi
    }
}

/*
 * The signal that comes with the parent's death may have been asked for too late, so look after asking. The pipe is
 * part of the look: an exit closes descriptors, then signals the children, and only then shows in a pidfd.
 */
inline tie_to_parent()
{
#ifndef NO_DEATH_SIGNAL
    atomic { die_with_parent = true; printf("child: asks to die with its parent\n") };
#endif
#ifndef WRONG_TIE_IS_NOT_VERIFIED
    atomic {
        if
#ifdef WRONG_PIDFD_ALONE_VERIFIES
        :: ended[PARENT] -> goto leave
#else
        :: the_parent_has_ended -> reach(child_found_its_parent_dead); goto leave
#endif
        :: else
        fi
    }
#endif
}

proctype Child()
{
    mtype outcome = going_on;
    byte failing_step = 0;

    {
        tie_to_parent();
        part_of_child(STEP_A);
        rendezvous_of_child(1);

        /* This part takes on another identity, which makes the kernel forget the tie; then it goes on. */
        atomic { die_with_parent = false; printf("child: changes its identity\n") };
#ifdef WRONG_TIED_AGAIN_TOO_LATE
        part_of_child(STEP_B);
        tie_to_parent();
#else
        tie_to_parent();
        part_of_child(STEP_B);
#endif

#ifdef CARELESS_PART
        /* A part closed a descriptor that it does not own. */
        if
        :: atomic { close_the_exec_pipe; closed_a_foreign_descriptor = true; printf("child: closes a descriptor of the launch\n") }
        :: true
        fi;
#endif
#ifndef WRONG_NO_LAST_RENDEZVOUS
        rendezvous_of_child(LAST_RENDEZVOUS);
#endif

        /* The descriptors are arranged: the last that can fail on this side of the commit word. */
        if
        :: atomic { part_failed[CHILD] = true; childs_failed_step = LAST_RENDEZVOUS; printf("child: cannot arrange its descriptors\n") };
            failing_step = LAST_RENDEZVOUS;
            goto part_failed_here
        :: true
        fi;

#ifdef LAST_PARTS
        settle_the_tie();
        last_part_of_child();
#endif

#ifdef WRONG_UNTIED_BEFORE_HOT
        die_with_parent = false;
#endif
#ifndef WRONG_NO_COMMIT_WORD
        atomic {
            if
            :: commit == armed -> commit = hot; printf("child: hot\n")
            :: else -> reach(child_lost_the_commit_word); printf("child: cancelled\n"); goto leave
            fi;
            if
            :: ended[PARENT] -> reach(committed_after_the_parents_death)
            :: else
            fi;
#ifdef LAST_PARTS
            claim(the_last_look_saw_the_parent, parent_was_there);
            claim(no_tied_commitment_after_the_parents_death, !ended[PARENT] || !tie_is_asked)
#else
#ifndef NO_DEATH_SIGNAL
            claim(no_commitment_after_the_parents_death, !ended[PARENT])
#endif
#endif
        };
#endif
#ifdef LAST_PARTS
#ifdef WRONG_PROGRAM_IS_UNTIED
        die_with_parent = false;
#endif
#else
        die_with_parent = false;
#endif

        /* execve: refused, or past the point of no return, then in the order of begin_new_exec (Linux 6.18). */
        if
        :: atomic { execve_was_refused = true; printf("child: execve is refused\n") };
#ifdef WRONG_DIAGNOSED_BEFORE_IT_IS_TOLD
            the_filter_may_strike(0);
#endif
#ifdef WRONG_REPORT_AFTER_ABORT
            abort_the_barrier(CHILD);
            claim_the_failure(execve_refused, LAST_RENDEZVOUS);
#else
            claim_the_failure(execve_refused, LAST_RENDEZVOUS);
            the_filter_may_strike(0);
            abort_the_barrier(CHILD);
#endif
            goto leave
#ifdef LAST_PARTS
        :: atomic { killed_by_its_filter = true; printf("child: killed by its filter in execve\n") };
            goto leave
        :: atomic { child_hangs = true; held_by_its_filter = true; printf("child: held by its filter in execve\n") };
            goto end_part_hangs
#endif
        :: true
        fi;
        memory_in_use = false;
        atomic {
            never_execd = false;
            program_ran = true;
            printf("child: the program runs\n");
#ifdef LAST_PARTS
            claim(every_last_part_was_done, last_part_done);
#endif
            claim(nothing_was_undone, !undone);
            claim(no_part_failed, !part_failed[CHILD] && !part_failed[PARENT]);
            claim(every_part_was_done, child_done[STEP_A] && child_done[STEP_B] && parent_done[STEP_A] && parent_done[STEP_B])
        };
        atomic {
            exec_pipe_open = false;
#ifndef READINESS
            end_open[CHILD] = false
#endif
        };

        /* ---- the program ---- */

#ifdef READINESS
        if
        :: atomic { placed[CHILD]++; printf("program: ready\n") }
        :: abort_the_barrier(CHILD)
        :: goto leave /* without a word */
        :: leaked_end = true; goto leave /* ... and a process of its own keeps the descriptors */
        :: atomic { program_hangs = true; printf("program: hangs\n") };
end_program_hangs:
            false
        fi;
#endif
        if
        :: goto leave
        :: true
        fi;
end_program_runs:
        false;

end_part_hangs:
        false;

        /* ---- failure: say it, then abort, then end ---- */

part_failed_here:
#ifdef WRONG_REPORT_AFTER_ABORT
        abort_the_barrier(CHILD);
        claim_the_failure(child_part, failing_step);
#else
        claim_the_failure(child_part, failing_step);
        if
        :: failing_step == LAST_PART -> the_filter_may_strike(LAST_PART)
        :: else
        fi;
        abort_the_barrier(CHILD);
#endif
leave:
        skip
    } unless { killed[CHILD] };

    /* The kernel's order in do_exit (Linux 6.18): memory, descriptors, and last what a pidfd shows. */
    memory_in_use = false;
    atomic { end_open[CHILD] = false; exec_pipe_open = false; printf("child: its descriptors are closed\n") };
    atomic { child_hangs = false; program_hangs = false; ended[CHILD] = true; printf("child: has ended\n") }
}

inline rendezvous_of_parent(number)
{
    atomic { placed[PARENT]++; printf("parent: placed %d\n", placed[PARENT]) };
    atomic {
        if
        :: aborted[CHILD] -> outcome = aborted_there
        :: !aborted[CHILD] && placed[CHILD] >= number -> outcome = reached
        :: !aborted[CHILD] && placed[CHILD] < number && (number == READY -> the_program_has_ended : the_child_has_ended) ->
            if
            :: end_open[CHILD] || foreign_holder || leaked_end -> reach(death_seen_by_pidfd_alone)
            :: else
            fi;
            outcome = peer_gone
        :: !aborted[CHILD] && placed[CHILD] < number && a_deadline_may_pass -> deadline_passed = true; outcome = timed_out
        :: !aborted[CHILD] && placed[CHILD] < number && cancel -> outcome = cancelled_by_caller
        fi;
        printf("parent: rendezvous %d ends %e\n", number, outcome);
        if
        :: outcome == reached -> outcome = going_on
        /* The child aborts only after its word in the record, so this is the program's abort: it swallowed the child's last place. */
        :: outcome == aborted_there && number == LAST_RENDEZVOUS && the_program_may_have_aborted -> reach(program_aborts_over_the_last_place); outcome = going_on
        :: else -> failing_step = number; goto rendezvous_failed
        fi
    }
}

inline part_of_parent(step)
{
    if
    :: atomic { parent_done[step] = true; printf("parent: part %d done\n", step) }
    :: atomic { part_failed[PARENT] = true; printf("parent: part %d failed\n", step) };
        claim_the_failure(parent_part, step);
        goto give_up
    fi
}

/* A part that is not done yet says what it waits for, and is called again when that has come; each call may end in every way. */
inline waiting_part_of_parent(step)
{
    do
    :: atomic { parent_done[step] = true; part_waits = false; printf("parent: part %d done\n", step) };
        break
    :: atomic { part_failed[PARENT] = true; printf("parent: part %d failed\n", step) };
        claim_the_failure(parent_part, step);
        goto give_up
    :: atomic { part_waits = true; printf("parent: part %d waits\n", step) };
#ifdef WRONG_WAITING_TAKEN_AS_DONE
        break;
#endif
        atomic {
            if
            :: event_shows_in_a_part -> event = false; reach(part_called_again)
            :: death_shows_in_a_part -> outcome = peer_gone; reach(child_died_during_a_part)
            :: aborted[CHILD] -> outcome = aborted_there
            :: cancelled_there -> outcome = cancelled_by_caller; reach(cancelled_in_a_part)
#ifdef WRONG_DEADLINE_TOLD_AS_CANCELLATION
            :: a_deadline_may_pass_in_a_part -> outcome = cancelled_by_caller
#else
            :: a_deadline_may_pass_in_a_part -> deadline_passed = true; outcome = timed_out; reach(deadline_in_a_part)
#endif
            fi;
            printf("parent: the wait of part %d ends %e\n", step, outcome);
            if
            :: outcome != going_on -> failing_step = step; goto rendezvous_failed
            :: else
            fi
        }
    od
}

/* The program may have done anything by then, or have ended: that is no failure of this launch. */
inline part_behind_execve()
{
    do
    :: atomic { done_behind_execve = true; waits_behind_execve = false; printf("parent: part behind execve done\n"); claim(the_part_comes_behind_execve, program_ran) };
        break
    :: atomic { part_failed[PARENT] = true; printf("parent: part behind execve failed\n"); claim(the_part_comes_behind_execve, program_ran) };
        failing_step = BEHIND_EXECVE;
        claim_the_failure(parent_part, BEHIND_EXECVE);
        goto give_up
    :: atomic { waits_behind_execve = true; printf("parent: part behind execve waits\n") };
        atomic {
            if
            :: event -> event = false; reach(called_again_behind_execve)
#ifdef WRONG_PROGRAMS_END_TAKEN_FOR_A_DEATH
            :: the_end_shows_behind -> outcome = peer_gone
#else
            :: the_end_shows_behind -> told_of_the_end = true; reach(told_of_the_programs_end)
#endif
            :: cancelled_there -> outcome = cancelled_by_caller
            :: a_deadline_may_pass_behind -> deadline_passed = true; outcome = timed_out; reach(deadline_behind_execve)
            fi;
            printf("parent: the wait behind execve ends %e\n", outcome);
            if
            :: outcome != going_on -> failing_step = BEHIND_EXECVE; goto rendezvous_failed
            :: else
            fi
        };
        if
        :: told_of_the_end && event -> reach(waited_on_behind_the_end)
        :: else
        fi
    od
}

/* What the parent did and can be undone, once the child is no more. A part that has begun to wait has done something. */
inline undo_the_parts()
{
    atomic {
        if
        :: parent_done[STEP_A] || parent_done[STEP_B] || part_waits || done_behind_execve || waits_behind_execve -> undone = true; reach(part_was_undone)
        :: else
        fi;
#ifndef WRONG_WAITING_PART_NOT_UNDONE
        if
        :: part_waits -> part_waits = false; reach(undone_while_it_waited)
        :: else
        fi;
#endif
#ifndef WRONG_PART_BEHIND_EXECVE_NOT_UNDONE
        if
        :: done_behind_execve || waits_behind_execve -> done_behind_execve = false; waits_behind_execve = false; reach(undone_behind_execve)
        :: else
        fi;
#endif
        parent_done[STEP_A] = false;
        parent_done[STEP_B] = false
    }
}

proctype Parent()
{
    mtype outcome = going_on;
    byte failing_step = 0;
    bool won = false;
    mtype verdict = may_have_run;
    bool thought_never_to_run = false;

    {
        rendezvous_of_parent(1);
        part_of_parent(STEP_A);
#ifdef WAITING_PART
        waiting_part_of_parent(STEP_B);
#else
        part_of_parent(STEP_B);
#endif
        rendezvous_of_parent(LAST_RENDEZVOUS);

        /* ---- execve or death: the pipe's end (or the cleared word) alone does not say which ---- */

        atomic {
            if
            :: wakes_at_execve ->
                if
                :: !execve_or_death_shows && !ended[CHILD] -> reach(execve_hidden_by_foreign_holder)
                :: else
                fi
            :: !wakes_at_execve && a_deadline_may_pass -> deadline_passed = true; outcome = timed_out
            :: !wakes_at_execve && cancel -> outcome = cancelled_by_caller
            fi;
            printf("parent: the wait for execve ends %e\n", outcome)
        };
        if
        :: outcome != going_on ->
            failing_step = LAST_RENDEZVOUS;
            goto rendezvous_failed
        :: else
        fi;
#ifdef WRONG_PART_CALLED_BEFORE_THE_LOOK
        part_behind_execve();
#endif
#ifndef WRONG_EOF_TAKEN_AS_GO
        if
        :: first_failure != none -> goto give_up
        :: else
        fi;
#ifdef WRONG_NOT_HOT_TAKEN_FOR_NEVER
        atomic {
            if
            :: commit != hot -> thought_never_to_run = true; claim_the_failure(pipe_closed_early, LAST_RENDEZVOUS); goto give_up
            :: else
            fi
        };
#endif
#ifndef WRONG_FLAG_NOT_LOOKED_AT
#ifndef WRONG_FLAG_LOOKED_AT_TOO_EARLY
        /*
         * execve lets go of the memory before it clears the flag, an exit closes the pipe before the process is seen to
         * have ended, and a careless part may close it early: until one of two things shows, nothing is known.
         */
        atomic {
            if
            :: never_execd && !ended[CHILD] -> reach(woken_before_the_flag)
            :: else
            fi;
            if
            :: !never_execd || ended[CHILD]
            :: never_execd && !ended[CHILD] && a_deadline_may_pass -> deadline_passed = true; outcome = timed_out; failing_step = LAST_RENDEZVOUS; goto rendezvous_failed
            fi
        };
#endif
        if
        :: never_execd ->
            claim_the_failure(child_died, LAST_RENDEZVOUS);
            goto give_up
        :: else
        fi;
#endif
#endif

#ifdef AFTER_EXECVE
#ifndef WRONG_PART_CALLED_BEFORE_THE_LOOK
        part_behind_execve();
#endif
#endif
#ifdef READINESS
        rendezvous_of_parent(READY);
        atomic { report = ready; reports++; reach(program_reported_ready) };
#else
        atomic { report = running; reports++; reach(program_reported_running) };
#endif
        atomic { printf("parent reports: %e\n", report); claim(a_running_program_ran, program_ran) };
#ifdef AFTER_EXECVE
        claim(the_part_behind_execve_was_done, done_behind_execve);
#endif
        goto reported;

        /* ---- failure: say it, cancel, abort, end the child, undo, report ---- */

rendezvous_failed:
        atomic {
            if
            :: outcome == cancelled_by_caller -> claim_the_failure(called_off, failing_step)
            :: outcome != cancelled_by_caller && failing_step == READY -> claim_the_failure((outcome == peer_gone -> exited_unready : (outcome == aborted_there -> aborted_unready : deadline_unready)), failing_step)
            :: outcome != cancelled_by_caller && failing_step != READY -> claim_the_failure((outcome == peer_gone -> child_died : (outcome == aborted_there -> aborted_without_a_word : deadline)), failing_step)
            fi;
#ifdef WRONG_HANG_UP_TAKEN_FOR_THE_END
            if
            :: outcome == peer_gone -> goto no_more
            :: else
            fi;
#endif
            outcome = going_on
        };
give_up:
        atomic {
#ifdef WRONG_CANCELLED_BLINDLY
            commit = cancelled;
            won = true
#else
            if
            :: commit == armed -> commit = cancelled; won = true
            :: else -> reach(parent_lost_the_commit_word)
            fi
#endif
            printf("parent: cancels, won %d\n", won)
        };
#ifdef WRONG_UNDONE_BEFORE_THE_END
        undo_the_parts();
#endif
#ifndef WRONG_NO_ABORT
        abort_the_barrier(PARENT);
#endif
        atomic {
            if
            :: ended[CHILD] -> reach(ended_within_the_grace)
            :: !ended[CHILD] && the_grace_may_pass -> killed[CHILD] = true; printf("parent: kills the child\n"); reach(killed_after_the_grace)
            fi
        };
        ended[CHILD];
#ifdef WRONG_HANG_UP_TAKEN_FOR_THE_END
no_more:
#endif

        /* The flag is gone with the process: read it first. */
        atomic {
            if
            :: won || first_failure == execve_refused || never_execd || thought_never_to_run -> verdict = never_ran
            :: else -> verdict = (failing_step == READY || failing_step == BEHIND_EXECVE -> has_run : may_have_run)
            fi;
            reaped = true
        };
        undo_the_parts();
        atomic {
            report = failed;
            reports++;
            reported_cause = first_failure;
            reported_run = verdict;
            printf("parent reports: %e of step %d, %e\n", reported_cause, failed_step, reported_run);
            claim(never_ran_means_never, reported_run != never_ran || (!program_ran && ended[CHILD]));
            claim(has_run_means_it_did, reported_run != has_run || program_ran);
            claim(the_report_has_a_cause, reported_cause != none && reported_cause != aborted_without_a_word);
            claim(the_cause_is_no_consequence, (reported_cause != child_died || killed_by_outsider || killed_by_its_filter || hung_up_alive) && (reported_cause != called_off || cancel) && (reported_cause != child_part || part_failed[CHILD]) && (reported_cause != parent_part || part_failed[PARENT]) && (reported_cause != execve_refused || execve_was_refused) && ((reported_cause != deadline && reported_cause != deadline_unready) || deadline_passed));
            claim(an_abort_comes_before_the_end, reported_cause != exited_unready || !aborted[CHILD]);
            claim(unready_is_said_of_a_program, program_ran || (reported_cause != exited_unready && reported_cause != aborted_unready && reported_cause != deadline_unready));
            claim(the_child_is_reaped, reaped && ended[CHILD]);
            claim(a_failure_is_told_before_the_end, reported_cause != child_died || killed_by_outsider || hung_up_alive || !(part_failed[CHILD] || execve_was_refused));
            claim(a_failed_part_is_named, reported_cause != child_part || failed_step == childs_failed_step);
            claim(a_death_is_placed, reported_cause != child_died || killed_by_outsider || !killed_by_its_filter || childs_item == filter_struck_in);
            if
            :: reported_cause == execve_refused -> reach(execve_failure_reported)
            :: reported_cause == child_died && commit == hot -> reach(died_between_hot_and_execve)
            :: reported_cause == parent_part && failed_step == BEHIND_EXECVE -> reach(failed_behind_execve)
            :: part_failed[PARENT] && part_failed[CHILD] -> reach(both_sides_failed)
            :: reported_cause == exited_unready -> reach(program_exited_before_ready)
            :: reported_cause == aborted_unready -> reach(program_aborted)
            :: reported_cause == deadline_unready -> reach(program_never_ready)
            :: reported_cause == child_part && failed_step == LAST_PART -> reach(last_part_failed)
            :: reported_cause == child_died && childs_item == LAST_PART && !killed_by_outsider -> reach(died_in_a_last_part)
            :: reported_cause == child_died && hung_up_alive && !killed_by_outsider -> reach(closed_its_barrier)
            :: else
            fi;
            if
            :: killed_by_its_filter && commit == hot && reported_cause == child_died -> reach(filter_forbids_execve)
            :: held_by_its_filter && commit == hot && reported_cause == deadline && reported_run == never_ran -> reach(held_in_execve)
            :: killed_by_its_filter && (reported_cause == execve_refused || reported_cause == child_part) -> reach(told_although_the_filter_killed)
            :: else
            fi
        };
        goto reported
    } unless { killed[PARENT] };

    /* The kernel's order in do_exit (Linux 6.18): descriptors, then the children's signal, and last what a pidfd shows. */
    atomic { end_open[PARENT] = false; printf("parent is dead: its descriptors are closed\n") };
    atomic {
        if
        :: die_with_parent && !ended[CHILD] -> killed[CHILD] = true; reach(child_ended_by_its_parents_death)
        :: else
        fi
    };
    ended[PARENT] = true;

reported:
    skip
}

/* A SIGKILL from outside, at any instruction, or not at all. */
proctype Killer(bit victim)
{
    if
    :: atomic { killed[victim] = true; killed_by_outsider = killed_by_outsider || (victim == CHILD && !ended[CHILD]); printf("%e is killed from outside\n", name_of(victim)) }
    :: true
    fi
}

#ifdef AFTER_EXECVE
#define SOMETHING_OUTSIDE
#endif
#ifdef WAITING_PART
#define SOMETHING_OUTSIDE
#endif
#ifdef SOMETHING_OUTSIDE
/* What the part waits for comes any number of times, then never again; and the caller may cancel, or not. */
proctype Outside()
{
    do
    :: atomic { (part_waits || waits_behind_execve) && !event -> event = true; printf("outside: what the part waits for\n") }
    :: atomic { no_more_events = true; printf("outside: it will not come again\n") };
        break
    od;
    if
    :: atomic { cancel = true; printf("outside: the caller cancels\n") }
    :: true
    fi
}
#endif

#ifdef FOREIGN_HOLDER
/* A process forked elsewhere while this launch was in flight: it lets go of its copies at some time, or never. */
proctype ForeignHolder()
{
    if
    :: foreign_holder = false
    :: true
    fi
}
#endif

/* Nothing can move any more: whoever is not done now never will be. */
proctype Referee()
{
    timeout ->
    d_step {
        claim(a_living_parent_reports_once, reports == 1 || killed[PARENT]);
        claim(never_more_than_one_report, reports <= 1);
        claim(a_failure_leaves_nothing, report != failed || (reaped && ended[CHILD] && !parent_done[STEP_A] && !parent_done[STEP_B] && !part_waits && !done_behind_execve && !waits_behind_execve));
        claim(a_tied_program_ends_with_its_parent, !ended[PARENT] || ended[CHILD] || !tie_is_asked);
        claim(an_uncommitted_child_ends_with_its_parent, !killed[PARENT] || ended[CHILD] || program_ran || (child_hangs && may_outlive_its_parent));
        claim(a_death_is_noticed, killed[PARENT] || program_ran || !ended[CHILD] || report == failed);
        claim(success_only_if_it_ran, (report != running && report != ready) || program_ran);
        if
        :: killed[PARENT] && !ended[CHILD] && program_ran -> reach(program_outlives_its_parent)
        :: killed[PARENT] && !ended[CHILD] && !program_ran -> reach(outlived_its_parent_in_a_part)
        :: ended[PARENT] && ended[CHILD] && program_ran && tie_is_asked && !killed_by_outsider -> reach(tied_program_died_with_its_parent)
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
#ifdef LAST_PARTS
#ifndef NO_DEATH_SIGNAL
        if
        :: tie_is_asked = true
        :: true
        fi;
#endif
#endif
#ifdef SOMETHING_OUTSIDE
        run Outside();
#endif
#ifdef FOREIGN_HOLDER
        foreign_holder = true;
        run ForeignHolder();
#endif
        run Killer(PARENT);
        run Killer(CHILD);
        run Parent();
        run Child();
        run Referee()
    }
}
