/*
 * The barrier between two processes, small enough for an exhaustive search.
 *
 * Each side runs every script of up to OPERATIONS operations, and either side may be killed between any two
 * instructions. An instruction of the model is what the kernel does in one piece: a look at one descriptor, a read
 * that takes a whole count, a write, a close. Everything between two instructions is private to a side.
 *
 * README.md says what is left out and what the configuration and WRONG_ macros select.
 */

#define PARENT 0
#define CHILD 1
#define peer (1 - me)

#ifndef OPERATIONS
#define OPERATIONS 3
#endif

/* Unread places that fit into an eventfd. The real one is full beyond 2^63: out of reach unless somebody fills it. */
#ifdef FULL_COUNTER
#define CAPACITY 1
#else
#define CAPACITY (2 * OPERATIONS)
#endif

#define NEVER 255

#ifndef REACH
#define REACH 0
#endif
#define reach(point) assert(REACH != point)
#define peer_gone_after_reading_its_places 1
#define abort_swallows_places 2
#define timed_out_after_reading_places 3
#define count_seen_beside_death 4
#define blocked_until_killed 5
#define attached_and_in_step 6
#define attached_after_own_abort 7
#define abort_closed_the_pipe 8
#define place_waited_for_room 9
#define place_ended_by_abort 10
#define death_seen_by_pidfd_alone 11
#define death_hidden_by_third_holder 12
#define third_holder_let_go 13
#define both_aborted 14
#define satisfied_after_peer_gone 15
#define wait_abortion_met_places 16
#define deadline_found_a_place 17
#define outsider_filled_the_counter 18
#define put_back_before_an_end 19
#define a_second_call_met 20
#define a_loop_was_woken_for_room 21
#define a_loop_waited_for_more_places 22
#define used_places_stayed 23
#define flag_was_given_back 24

/* Where there is no room for a place that was read, there is an abort in the counter: nothing to be modelled. */
#if defined(FULL_COUNTER) && (defined(PUT_BACK) || defined(CALLS))
#error "FULL_COUNTER does not go with PUT_BACK or CALLS"
#endif

#if defined(PUT_BACK) || defined(CALLS)
#define USE
#endif

#ifdef TRIES
#define is_a_try (operation != abort && operation != put_back)
#else
#define is_a_try (operation == poll_now)
#endif

/* One claim per line: the check names the one that failed by this line. */
#define claim(name, holds) assert(holds)

#define who (me == PARENT -> parent : child)

mtype = { parent, child };
mtype = { idle, place, abort, wait_next, sync_next, sync, wait_abortion, wait_for_place, poll_now, put_back };
mtype = { reached, aborted_here, aborted_there, peer_gone, timed_out };
mtype = { nothing, explicitly, gone };
mtype = { running, in_a_wait, in_a_place };

/* ---- What the kernel holds. Index: the side that reads the eventfd, or whose pipe end or process it is. ---- */

byte unread_places[2];
bool unread_abort[2];
bool holds_own_end[2] = true;
bool holds_inherited_end[2] = true; /* a copy of the peer's end, from the fork until set_role */
bool third_holder[2];               /* some other process has a copy of this side's end */
bool must_die[2];
bool ended[2];                      /* what a pidfd of the process shows */
#ifdef FLAG_TAKEN
bool write_may_block[2];            /* this side's eventfd has lost O_NONBLOCK */
#endif

#define readable(me) (unread_places[me] > 0 || unread_abort[me])
#define has_room(me) (unread_places[me] < CAPACITY)

/* The peer's hang-up, on this side's own end. */
#define hung_up(me) (holds_own_end[me] && !holds_own_end[1 - (me)] && !holds_inherited_end[me] && !third_holder[1 - (me)])

#if defined(PIDFD) && !defined(WRONG_PIDFD_NOT_LOOKED_AT)
#define pidfd_shows_death(me) (ended[1 - (me)])
#else
#define pidfd_shows_death(me) (false)
#endif

/* ---- What a side keeps, and what it hands over. Visible to the referee, used by no other side. ---- */

short balance[2];
byte seen[2];
bool here[2];
mtype there[2] = nothing;
#ifdef USE
byte used[2];
#endif
bool has_deadline[2];
mtype blocked[2] = running;

short handed_balance;
byte handed_seen;
bool handed_here;
mtype handed_there = nothing;

/* ---- What really happened: written beside the instructions, read only by claims. ---- */

byte placed[2];        /* places written so far, never wiped by an execve */
byte read_places[2];   /* of the peer's places, those taken out of the eventfd */
bool aborted[2];       /* abort was called */
bool abort_written[2]; /* ... and the word is, or was, in the eventfd */
bool abort_read[2];    /* this side read while the word was there */
bool filled[2];        /* an outsider filled this side's eventfd */
#ifdef PUT_BACK
byte due[2];           /* how many of the peer's places waits had use for */
#endif
bool attached;         /* the child went through an execve and attached */
#ifdef CALLS
byte met;              /* calls of the child that had to have a place of the parent, and had it */
#define was_in_step(me) (me == CHILD -> read_places[me] > met : read_places[me] >= placed[me])
#else
#define was_in_step(me) (read_places[me] >= placed[me])
#endif

/* The peer holds its end no more, which a copy of that end may hide for as long as no pidfd shows a death. */
#define peer_has_ended(me) (!holds_own_end[1 - (me)] || ended[1 - (me)])
#ifdef PIDFD
#define end_is_hidden(me) (third_holder[1 - (me)] && !ended[1 - (me)])
#else
#define end_is_hidden(me) (third_holder[1 - (me)])
#endif

/* ---- Where the wrong variants differ by a condition alone. ---- */

#if defined(WRONG_COUNT_BEFORE_DEATH)
#define sees_a_count(me) (false)
#elif defined(WRONG_COUNT_NOT_REREAD)
#define sees_a_count(me) (readable(me) && !death_seen)
#else
#define sees_a_count(me) (readable(me))
#endif

#ifdef WRONG_GONE_FAILS_A_SATISFIED_WAIT
#define gone_fails_everything true
#else
#define gone_fails_everything false
#endif

#ifdef WRONG_ABORT_QUEUES
#define takes_the_abort(me) (unread_abort[me] && unread_places[me] == 0)
#else
#define takes_the_abort(me) (unread_abort[me])
#endif

#ifdef WRONG_ABORT_LOST_BEHIND_PLACES
#define abort_goes_out(me) (has_room(1 - (me)) && unread_places[1 - (me)] == 0)
#else
#define abort_goes_out(me) (has_room(1 - (me)))
#endif

#ifdef WRONG_PLACE_BLIND_TO_THE_COUNT
#define place_sees_a_count(me) (false)
#else
#define place_sees_a_count(me) (readable(me))
#endif

#ifdef WRONG_PLACE_WITHOUT_WITNESS
#define place_has_a_witness false
#else
#define place_has_a_witness true
#endif

/* What a loop polls between two tries. */
#ifdef WRONG_LOOP_WITHOUT_THE_PIPE
#define polls_an_end(me) (pidfd_shows_death(me))
#else
#define polls_an_end(me) (hung_up(me) || pidfd_shows_death(me))
#endif

#ifdef WRONG_LOOP_FOR_PLACE_WITHOUT_THE_COUNT
#define polls_a_count(me) (operation != place && readable(me))
#else
#define polls_a_count(me) (readable(me))
#endif

#if defined(WRONG_LOOP_FOR_PLACE_WITHOUT_ROOM)
#define polls_room(me) (false)
#elif defined(WRONG_LOOP_FOR_WAIT_POLLS_ROOM)
#define polls_room(me) (has_room(1 - (me)))
#else
#define polls_room(me) (operation == place && has_room(1 - (me)))
#endif

#ifdef WRONG_PUT_BACK_FORGETS_A_WAIT_NEXT
#define has_use_for_places (operation == sync || operation == sync_next || operation == wait_for_place)
#else
#define has_use_for_places (operation == wait_next || operation == sync || operation == sync_next || operation == wait_for_place)
#endif

#ifdef WRONG_SURPLUS_DIES_WITH_A_CALL
#define a_call_puts_back false
#else
#define a_call_puts_back true
#endif

/* ---- The read, the conclusion, and what an end may be. ---- */

/* Whole count, one read: an abort replaces the places that were not read yet. */
inline take_the_count()
{
    d_step {
        claim(a_place_is_read_once, unread_abort[me] || filled[me] || placed[peer] == read_places[me] + unread_places[me]);
        abort_read[me] = abort_read[me] || unread_abort[me];
        printf("%e reads %d places, abort %d\n", who, unread_places[me], unread_abort[me]);
        if
        :: takes_the_abort(me) ->
            if
            :: unread_places[me] > 0 -> reach(abort_swallows_places)
            :: else
            fi;
            there[me] = explicitly;
            unread_abort[me] = false
        :: else ->
            seen[me] = seen[me] + unread_places[me];
            read_places[me] = read_places[me] + unread_places[me];
            balance[me] = balance[me] - unread_places[me]
        fi;
        unread_places[me] = 0
    }
}

/* Latched only here. Nothing can arrive after it: the peer was seen dead, then its count was seen or made empty. */
inline latch_peer_gone()
{
    d_step {
        printf("%e concludes that its peer is gone, with %d places unread\n", who, unread_places[me]);
        claim(gone_only_if_the_peer_ended, peer_has_ended(me));
        claim(no_place_is_lost, unread_places[me] == 0 && (filled[me] || read_places[me] == placed[peer]));
        claim(no_abort_is_lost, !abort_written[peer]);
        if
        :: read_places[me] > 0 -> reach(peer_gone_after_reading_its_places)
        :: else
        fi;
        if
        :: !hung_up(me) -> reach(death_seen_by_pidfd_alone)
        :: else
        fi;
        there[me] = gone
    }
}

/* Each place after the one with this number is in the counter again, and the peer's end queues behind it. */
inline put_back_after(number)
{
    d_step {
        printf("%e puts back all after %d of %d\n", who, number, seen[me]);
        if
        :: seen[me] > number ->
            unread_places[me] = unread_places[me] + seen[me] - number;
            read_places[me] = read_places[me] - (seen[me] - number);
#ifndef WRONG_PUT_BACK_KEEPS_THE_COUNTS
            balance[me] = balance[me] + seen[me] - number;
            seen[me] = number;
#endif
            if
            :: there[me] == gone ->
                reach(put_back_before_an_end);
#ifndef WRONG_PUT_BACK_KEEPS_THE_END
                there[me] = nothing
#endif
            :: else
            fi
        :: else
        fi
    }
}

#ifdef USE
/* Which of the places that were read the wait that ends here was for. Own places are balance plus seen. */
inline mark_what_was_used()
{
    d_step {
        needed = wanted;
        if
        :: (operation == sync || operation == sync_next) && needed > seen[me] + balance[me] -> needed = seen[me] + balance[me]
        :: else
        fi;
        if
        :: needed > seen[me] -> needed = seen[me]
        :: else
        fi;
#ifdef WRONG_PUT_BACK_KEEPS_THE_SURPLUS
        needed = seen[me];
#endif
        if
        :: has_use_for_places && (result == reached || read_places[me] > read_before) && needed > used[me] -> used[me] = needed
        :: else
        fi;
        needed = 0
    }
}
#endif

#ifdef PUT_BACK
/* The same from what really happened, for the claim. */
inline note_what_is_due()
{
    d_step {
        needed = 0;
        if
        :: operation == wait_next && result == reached -> needed = read_before + 1
        :: operation == wait_for_place && (result == reached || read_places[me] > read_before) -> needed = wanted
        :: operation == sync && (result == reached || read_places[me] > read_before) -> needed = placed[me]
        :: operation == sync_next && (result == reached || read_places[me] > read_before) -> needed = (placed[me] > read_before -> read_before + 1 : placed[me])
        :: else
        fi;
        if
        :: needed > read_places[me] -> needed = read_places[me]
        :: else
        fi;
        if
        :: needed > due[me] -> due[me] = needed
        :: else
        fi;
        needed = 0
    }
}
#endif

/* How an operation has to end, given what was known when it began and what is known now. */
inline check_the_end()
{
    d_step {
        printf("%e: %e ends %e\n", who, operation, result);
        claim(aborted_here_only_after_own_abort, result != aborted_here || aborted[me]);
        claim(aborted_there_only_after_an_abort, result != aborted_there || aborted[peer] || filled[me]);
        claim(peer_gone_only_after_an_end, result != peer_gone || peer_has_ended(me));

        /* An abort supersedes: whoever read while the word was there must say so, whatever the counts. */
        claim(abort_supersedes_places, !abort_read[me] || operation == wait_abortion || operation == abort || result == aborted_there || result == aborted_here);

        /* After an abort here nothing else can be said, except by wait_abortion's deadline and a repeated abort. */
        claim(own_abort_stays, !here_before || result == aborted_here || (operation == abort && there_before == nothing) || (operation == wait_abortion && result == timed_out));
        claim(both_is_final, !(here_before && there_before != nothing) || (result == aborted_here && there[me] == there_before));
        claim(their_abort_stays, here_before || there_before != explicitly || (operation == wait_abortion && result == reached) || (operation != wait_abortion && result == aborted_there));
        claim(a_latched_end_never_changes, there_before == nothing || there[me] == there_before || operation == put_back);
        claim(an_end_queues_behind_what_was_put_back, result != peer_gone || unread_places[me] == 0 || filled[me]);

        /* An end queues behind places: it fails no wait that the counts satisfy. */
        claim(gone_spares_a_satisfied_wait, operation == place || here_before || there_before != gone || seen[me] < wanted || result == reached);
        claim(gone_ends_an_unsatisfied_wait, here_before || there_before != gone || seen[me] >= wanted || operation == abort || result == (operation == wait_abortion -> reached : peer_gone));
        claim(gone_is_invisible_to_place, operation != place || here_before || there_before != gone || result == reached || CAPACITY == 1);

        if
        :: result == reached && operation == wait_next ->
            claim(wait_next_saw_a_new_place, placed[peer] > read_before && read_places[me] > read_before)
        :: result == reached && operation == sync ->
            claim(sync_is_in_step, placed[peer] >= placed[me])
        :: result == reached && operation == sync_next ->
            claim(sync_next_came_one_closer, read_places[me] >= placed[me] || read_places[me] > read_before)
        :: result == reached && operation == wait_for_place ->
            claim(the_named_place_was_made, placed[peer] >= wanted && read_places[me] >= wanted)
        :: result == reached && operation == wait_abortion ->
            claim(wait_abortion_saw_an_abort_or_end, aborted[peer] || peer_has_ended(me) || filled[me])
        :: result == reached && operation == poll_now ->
            claim(poll_finds_what_is_there, !owed && there[me] == nothing && read_places[me] >= placed[me])
        :: result == aborted_here && operation == wait_abortion ->
            claim(wait_abortion_waited_for_the_peer, there[me] != nothing && (aborted[peer] || peer_has_ended(me) || filled[me] || !holds_own_end[me]))
        :: result == timed_out ->
            claim(the_deadline_looks_once_more, !owed);
            claim(no_loop_is_woken_in_vain, !woken || read_places[me] > read_before)
        :: else
        fi;

        if
        :: result == timed_out && read_places[me] > read_before -> reach(timed_out_after_reading_places)
        :: result == reached && there_before == gone && operation == sync -> reach(satisfied_after_peer_gone)
        :: here[me] && there[me] == explicitly -> reach(both_aborted)
        :: operation == wait_abortion && read_places[me] > read_before -> reach(wait_abortion_met_places)
        :: attached && me == CHILD && operation == sync && result == reached && placed[me] > 1 -> reach(attached_and_in_step)
        :: attached && me == CHILD && here_before && operation == place -> reach(attached_after_own_abort)
        :: result == reached && expired && operation != poll_now -> reach(deadline_found_a_place)
        :: result == aborted_there && filled[me] && !aborted[peer] -> reach(outsider_filled_the_counter)
        :: else
        fi
    }
}

/* A poll is a wait whose deadline has passed already; what it says then depends on what is owed. */
#define time_is_up(me) (operation == poll_now && balance[me] <= 0 -> reached : timed_out)
#define the_peer_has_aborted(me) (here[me] -> aborted_here : (operation == wait_abortion -> reached : aborted_there))
#define the_peer_is_gone(me) (here[me] -> aborted_here : (operation == wait_abortion -> reached : peer_gone))

/* The number of the peer's places at which a wait is over; a wait for less than was read is over at once. */
inline work_out_what_is_wanted()
{
    d_step {
        if
        :: operation == wait_next -> wanted = seen[me] + 1
        :: operation == sync -> wanted = seen[me] + (balance[me] > 0 -> balance[me] : 0)
        :: operation == sync_next -> wanted = seen[me] + (balance[me] > 0 -> 1 : 0)
        :: operation == place || operation == put_back -> wanted = 0
        :: else /* named by the operation, or never */
        fi;
        here_before = here[me];
        there_before = there[me];
        read_before = read_places[me];
        expired = is_a_try;
        owed = is_a_try && (unread_abort[me] || hung_up(me) || pidfd_shows_death(me) || (operation != place && operation != poll_now && seen[me] + unread_places[me] >= wanted));
        printf("%e: %e begins, wants %d, balance %d, seen %d\n", who, operation, wanted, balance[me], seen[me])
    }
}

inline reset()
{
    d_step {
        blocked[me] = running;
        wanted = NEVER;
        death_seen = false;
        woken = false;
        expired = false;
        owed = false;
        here_before = false;
        there_before = nothing;
        read_before = 0
    }
}

#ifdef CALLS
/*
 * The child is a script: each of its operations is a call that ends with it and so forgets. What it had no use for,
 * it has put back: a wait for an abort or a look has use for nothing. A script whose call failed goes no further.
 */
inline end_the_call()
{
    d_step {
        if
        :: there[me] == explicitly ->
#ifndef WRONG_ABORT_DIES_WITH_A_CALL
            unread_abort[me] = true;
#endif
            abort_read[me] = false
        :: else
        fi;
        if
        :: there[me] != explicitly && a_call_puts_back -> put_back_after(used[me])
        :: else
        fi;
        if
        :: result == reached && (operation == sync || operation == wait_next) -> met++
        :: result != reached && operation != wait_abortion && operation != poll_now -> operations_left = 0
        :: else
        fi;
        claim(a_call_takes_what_it_needs, result != reached || there[me] == explicitly || read_places[me] == met);
        if
        :: operation == sync && result == reached && placed[me] == 2 -> reach(a_second_call_met)
        :: else
        fi;
        balance[me] = 0;
        seen[me] = 0;
        used[me] = 0;
        there[me] = nothing
    }
}
#endif

/* What a side that does nothing more knows is of no consequence: states that differ in it alone are one. */
inline forget()
{
    reset();
    d_step {
        balance[me] = 0;
        seen[me] = 0;
        here[me] = false;
        there[me] = nothing;
#ifdef USE
        used[me] = 0;
#endif
#ifdef PUT_BACK
        due[me] = 0;
#endif
        read_places[me] = 0;
        abort_read[me] = false;
        operations_left = 0;
        operation = idle;
        result = idle;
        syncs_next = false
    }
}

proctype Side(bit me)
{
    byte operations_left = OPERATIONS;
    mtype operation = idle;
    mtype result = idle;
    byte wanted = NEVER;
    bool death_seen = false;
    bool woken = false;
    bool expired = false;
    bool syncs_next = false;        /* the second half of place_and_sync is to come */
    bool owed = false;              /* at the deadline, or when a poll began, an end was there to be found */
    bool here_before = false;
    mtype there_before = nothing;
    byte read_before = 0;
#ifdef USE
    byte needed = 0;
#endif

    {
        /* set_role. Until then a side that dies is hidden from the other by the other's own copy of its end. */
#ifndef WRONG_INHERITED_END_KEPT
        holds_inherited_end[me] = false;
#endif

        goto choose;

        /*
         * The end of one operation, the choice of the next and its first decision: all private, hence one piece.
         */
finish:
        atomic {
            check_the_end();
#ifdef TRIES
            if
            :: result == timed_out && operation != poll_now ->
                if
                :: read_places[me] > read_before -> reach(a_loop_waited_for_more_places)
                :: else
                fi;
                blocked[me] = (operation == place -> in_a_place : in_a_wait);
                goto poll_between_tries
            :: else
            fi;
#endif
#ifdef USE
            mark_what_was_used();
#endif
#ifdef PUT_BACK
            note_what_is_due();
            if
            :: operation == put_back && result == reached ->
                claim(exactly_the_surplus_goes_back, read_places[me] == due[me]);
                if
                :: due[me] > 0 && unread_places[me] > 0 -> reach(used_places_stayed)
                :: else
                fi
            :: else
            fi;
#endif
#ifdef CALLS
            if
            :: me == CHILD && !(syncs_next && result == reached) -> end_the_call()
            :: else
            fi;
#endif
            reset();
            if
            :: syncs_next && operation == place && result == reached ->
                syncs_next = false;
                operation = sync;
                goto begin
            :: else -> syncs_next = false
            fi;
choose:
            operation = idle;
            result = idle;
            if
#ifdef HAND_OVER
            :: me == CHILD && !attached -> goto execve_with_hand_over
#endif
            :: operations_left > 0 ->
                operations_left--;
                if
                :: operation = place; syncs_next = true
                :: operation = wait_next
                :: operation = wait_abortion
                :: operation = poll_now
#ifdef CALLS
                :: me == PARENT -> operation = place
                :: me == PARENT -> operation = abort
#else
                :: operation = place
                :: operation = abort
                :: operation = sync_next
                :: operation = sync
                :: operation = wait_for_place; wanted = 1
                :: operation = wait_for_place; wanted = 2
#endif
#ifdef PUT_BACK
                :: operation = put_back
#endif
                fi
            :: goto parked
            :: goto destroy
            fi;
begin:
            result = idle;
            work_out_what_is_wanted();
#ifdef PUT_BACK
            if
            :: operation == put_back -> goto give_back
            :: else
            fi;
#endif
            if
            :: here[me] && operation == abort -> result = (there[me] == nothing -> reached : aborted_here)
            :: here[me] && operation == wait_abortion && there[me] == nothing -> goto look
            :: here[me] && operation != abort && !(operation == wait_abortion && there[me] == nothing) -> result = aborted_here
            :: !here[me] && operation == abort -> goto write_abort
            :: !here[me] && operation != abort && there[me] == explicitly -> result = (operation == wait_abortion -> reached : aborted_there)
            :: !here[me] && operation == place && there[me] != explicitly -> goto write_place
            :: else ->
                if
                :: there[me] == gone && (seen[me] < wanted || gone_fails_everything) -> result = (operation == wait_abortion -> reached : peer_gone)
                :: else ->
                    if
                    :: seen[me] >= wanted -> result = reached
                    :: else -> goto look
                    fi
                fi
            fi;
            goto finish
        };

        /* ---- the wait: death first, the count second ---- */

look:
#ifdef WRONG_COUNT_BEFORE_DEATH
        if
        :: readable(me) -> goto take
        :: else
        fi;
#endif
#ifdef PIDFD
        death_seen = pidfd_shows_death(me);
#endif
        death_seen = death_seen || hung_up(me);
look_at_the_count:
        atomic {
            if
            :: sees_a_count(me) ->
                if
                :: death_seen -> reach(count_seen_beside_death)
                :: else
                fi;
                goto take
            :: !sees_a_count(me) && death_seen -> latch_peer_gone()
            :: else ->
                claim(no_wake_up_without_cause, !woken || expired);
                if
                :: expired -> result = time_is_up(me); goto finish
                :: else ->
                    claim(nobody_waits_for_what_was_read, (operation != wait_for_place || read_places[me] < wanted) && (operation != sync || !was_in_step(me)));
                    blocked[me] = in_a_wait;
                    goto sleep
                fi
            fi;
            result = the_peer_is_gone(me);
            goto finish
        };

        /* Past the deadline there is one look and no more, or a peer that never stops placing could hold this side for ever. */
take:
        atomic {
            take_the_count();
            woken = false;
            if
            :: there[me] == explicitly -> result = the_peer_has_aborted(me); goto finish
            :: there[me] != explicitly && seen[me] >= wanted -> result = reached; goto finish
            :: there[me] != explicitly && seen[me] < wanted && death_seen -> latch_peer_gone(); result = the_peer_is_gone(me); goto finish
            :: there[me] != explicitly && seen[me] < wanted && !death_seen && expired -> result = time_is_up(me); goto finish
            :: else -> goto look
            fi
        };

sleep:
end_waits:
        atomic {
            if
            :: readable(me) || hung_up(me) || pidfd_shows_death(me) -> woken = true
            :: has_deadline[me] && !expired ->
                expired = true;
                owed = unread_abort[me] || hung_up(me) || pidfd_shows_death(me) || seen[me] + unread_places[me] >= wanted;
#ifdef WRONG_NO_LAST_LOOK
                blocked[me] = running; result = timed_out; goto finish
#endif
            fi;
            blocked[me] = running;
            goto look
        };

#ifdef TRIES
        /* ---- what an event loop does, with one poll for all ---- */

poll_between_tries:
end_polls:
        atomic {
            if
            :: polls_a_count(me) || polls_an_end(me) || polls_room(me) -> woken = true
            fi;
            if
            :: operation == place && has_room(peer) -> reach(a_loop_was_woken_for_room)
            :: else
            fi;
            blocked[me] = running;
            goto begin
        };
#endif

        /* ---- place ---- */

write_place:
#ifdef FLAG_TAKEN
        /* The flag is given back and the write made: nobody comes between here, README.md says so. */
        atomic {
#ifndef WRONG_PLACE_TRUSTS_THE_FLAG
            if
            :: write_may_block[peer] -> reach(flag_was_given_back)
            :: else
            fi;
            write_may_block[peer] = false;
#endif
            if
            :: write_may_block[peer] && !has_room(peer) -> blocked[me] = in_a_place
            :: else -> goto write_now
            fi
        };
end_blocked_in_a_write:
        has_room(peer) -> blocked[me] = running;
write_now:
#endif
        atomic {
            claim(no_place_after_own_abort, !aborted[me]);
            if
            :: has_room(peer) ->
                unread_places[peer]++;
                placed[me]++;
                balance[me]++;
                printf("%e has placed %d\n", who, placed[me]);
                if
                :: woken -> reach(place_waited_for_room)
                :: else
                fi;
                result = reached;
                goto finish
            :: else -> death_seen = false
            fi
        };

        /*
         * No room. The look is the same as in a wait, and the count is taken too: the peer's abort has to get through,
         * a death may be concluded only once the count is empty, and two sides that are both full make each other room.
         */
#ifdef PIDFD
        death_seen = pidfd_shows_death(me);
#endif
        death_seen = death_seen || hung_up(me);
        atomic {
            if
            :: place_sees_a_count(me) ->
                take_the_count();
                woken = false;
                if
                :: there[me] == explicitly -> reach(place_ended_by_abort); result = aborted_there; goto finish
                :: else -> goto write_place
                fi
            :: !place_sees_a_count(me) && place_has_a_witness && death_seen && !has_room(peer) ->
                latch_peer_gone();
                result = peer_gone;
                goto finish
            :: else ->
                if
                :: has_room(peer) -> goto write_place
                :: else ->
                    claim(no_wake_up_of_place_without_cause, !woken || expired);
                    if
                    :: expired -> result = timed_out; goto finish
                    :: else -> blocked[me] = in_a_place
                    fi
                fi
            fi
        };
end_waits_for_room:
        atomic {
            if
            :: has_room(peer) || place_sees_a_count(me) || (place_has_a_witness && (hung_up(me) || pidfd_shows_death(me))) -> woken = true
            :: has_deadline[me] && !expired -> expired = true
            fi;
            blocked[me] = running;
            goto write_place
        };

        /* ---- abort: never waits ---- */

write_abort:
        atomic {
            aborted[me] = true;
            if
            :: abort_goes_out(me) ->
                unread_abort[peer] = true;
                abort_written[me] = true;
                printf("%e has written its abort\n", who);
                goto latch_abort
            :: !abort_goes_out(me) && has_room(peer) -> goto latch_abort
            :: !has_room(peer)
            fi
        };
#ifdef WRONG_ABORT_WAITS_FOR_ROOM
        has_room(peer);
        goto write_abort;
#endif
#ifndef WRONG_FULL_ABORT_IS_DROPPED
        atomic {
            holds_own_end[me] = false;
            reach(abort_closed_the_pipe);
            printf("%e closes its end instead of an abort\n", who);
#ifndef WRONG_WAITS_AFTER_CLOSING_THE_PIPE
            /* With its own end this side gave up its witness of the peer: there is no end left that it could wait for. */
            if
            :: there[me] == nothing -> there[me] = gone
            :: else
            fi
#endif
        };
#endif
latch_abort:
        atomic {
            here[me] = true;
            result = (there_before == nothing -> reached : (there_before == gone -> peer_gone : aborted_there));
            goto finish
        };

#ifdef PUT_BACK
give_back:
        atomic {
            if
            :: there[me] == explicitly -> unread_abort[me] = true; result = (here[me] -> aborted_here : aborted_there)
            :: there[me] != explicitly && here[me] -> result = aborted_here
            :: there[me] != explicitly && !here[me] -> put_back_after(used[me]); result = reached
            fi;
            goto finish
        };
#endif

#ifdef HAND_OVER
        /*
         * The memory is gone; descriptors and environment stay. A program that never attaches is parked, or killed.
         */
execve_with_hand_over:
        atomic {
            handed_balance = balance[me];
            handed_seen = seen[me];
            handed_here = here[me];
            handed_there = there[me];
            balance[me] = 0;
            seen[me] = 0;
            here[me] = false;
            there[me] = nothing
        };
        if
        :: atomic {
#ifndef WRONG_BALANCE_DROPPED
            balance[me] = handed_balance;
#endif
#ifndef WRONG_SEEN_DROPPED
            seen[me] = handed_seen;
#endif
#ifndef WRONG_ABORT_STATE_DROPPED
            here[me] = handed_here;
            there[me] = handed_there;
#endif
            handed_balance = 0;
            handed_seen = 0;
            handed_here = false;
            handed_there = nothing;
            attached = true;
            printf("%e is another program and has attached: balance %d, seen %d\n", who, balance[me], seen[me]);
            goto choose
          }
        :: goto parked
        fi;
#endif

        /* A failed operation and execve without hand-over close the end too, and the process lives on. */
destroy:
        atomic { holds_own_end[me] = false; printf("%e closes its end and lives on\n", who) };

        /* Alive, and never touches the barrier again. */
parked:
        forget();
end_parked:
        false
    } unless { must_die[me] };

    /* do_exit closes the descriptors first (Linux 6.18); the process can be seen dead a little later. */
    atomic { forget(); holds_own_end[me] = false; printf("%e is dead: its descriptors are closed\n", who) };
    atomic { holds_inherited_end[me] = false; ended[me] = true }
}

/* SIGKILL, a crash or an exit, at any instruction, or not at all. Of one side only: two dead sides claim nothing. */
proctype Killer()
{
    if
    :: must_die[PARENT] = true
    :: must_die[CHILD] = true
    :: true
    fi
}

#ifdef THIRD_HOLDER
/* A process forked in between that holds a copy of one end; it lets go at some time, or never. */
proctype ThirdHolder(bit whose)
{
    if
    :: third_holder[whose] = false; reach(third_holder_let_go)
    :: true
    fi
}
#endif

/* Nothing can move any more: whoever is blocked now is blocked for ever, and must have a right to it. */
#define blocked_in_sync(me) (blocked[me] == in_a_wait && balance[me] > 0)

inline judge(me)
{
    printf("%e for ever: %e, balance %d, seen %d\n", who, blocked[me], balance[me], seen[me]);
    claim(blocked_only_by_a_living_peer, blocked[me] == running || !peer_has_ended(me) || end_is_hidden(me));
    claim(blocked_only_without_an_abort, blocked[me] == running || !aborted[1 - me] || end_is_hidden(me));
    claim(blocked_wait_has_nothing_to_read, blocked[me] != in_a_wait || !readable(me));
    claim(blocked_place_has_no_room, blocked[me] != in_a_place || !has_room(1 - me));
    claim(deadlines_end_every_wait, blocked[me] == running || !has_deadline[me]);
    if
    :: blocked[me] != running && peer_has_ended(me) -> reach(death_hidden_by_third_holder)
    :: blocked[me] != running && !peer_has_ended(me) -> reach(blocked_until_killed)
    :: else
    fi
}

proctype Referee()
{
    timeout ->
    d_step {
        judge(PARENT);
        judge(CHILD);
#ifndef CALLS /* a script has forgotten its balance, and its calls may wait for places that were met by others */
        claim(the_two_are_not_both_behind, blocked[PARENT] != in_a_wait || blocked[CHILD] != in_a_wait || balance[PARENT] + balance[CHILD] == 0);
#endif
        claim(the_two_do_not_wait_for_room_in_a_ring, blocked[PARENT] != in_a_place || blocked[CHILD] != in_a_place)
    }
}

init
{
    atomic {
#ifdef THIRD_HOLDER
        if
        :: third_holder[PARENT] = true; run ThirdHolder(PARENT)
        :: third_holder[CHILD] = true; run ThirdHolder(CHILD)
        fi;
#endif
#ifdef DEADLINES
        has_deadline[PARENT] = true;
        if
        :: has_deadline[CHILD] = true
        :: true
        fi;
#endif
#ifdef FULL_COUNTER
        /* Whoever has the descriptor can fill it; on the wire that is more than an abort, and reads as one. */
        if
        :: filled[CHILD] = true; unread_abort[CHILD] = true; unread_places[CHILD] = CAPACITY
#ifdef FLAG_TAKEN
        :: filled[CHILD] = true; unread_abort[CHILD] = true; unread_places[CHILD] = CAPACITY; write_may_block[CHILD] = true
#endif
        :: true
        fi;
#endif
        run Killer();
        run Side(PARENT);
        run Side(CHILD);
        run Referee()
    }
}
