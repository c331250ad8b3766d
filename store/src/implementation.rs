//! How the store works: the design, on one page. There is no code here.
//!
//! # What meets where
//!
//! ```text
//!   put get delete expire ...                   sweep(budget), clean, the sweeper's thread
//!          |                                              |
//!          v                                              v
//!   +--------------------- store: the only place where they meet ---------------------+
//!   |                                                                                 |
//!   |   table (scc::HashMap)              expiry index                clock, counters |
//!   |   +---------------------+           +-----------------------+                   |
//!   |   | key | word  | value |   node    | hash | prev | next    |  16 bytes a TTL,  |
//!   |   | key | word --------------------->  ...                  |  no key           |
//!   |   | key | word  | value |           +-----------------------+                   |
//!   |   +---------------------+             64 shards, each a wheel over a slab       |
//!   |             |     number              eviction queues, of a bounded store      |
//!   |             |                       +-----------------------+                 |
//!   |             +---------------------> | hash | prev | next    | 16 bytes a pair |
//!   |                                     +-----------------------+ 4 a ghost       |
//!   +---------------------------------------------------------------------------------+
//! ```
//!
//! The **table** maps a key to its value. Beside the key stands one 64-bit **word**: 40 bits of
//! deadline (milliseconds since the store's creation, 0 for none) and 22 bits of node number.
//! The two bits left count uses, for eviction. That is all that a pair costs more than in a bare
//! map, and a look-up needs nothing else: no second structure decides whether a value is alive.
//!
//! The **expiry index** knows no keys. A node holds the 64-bit hash of its key; whoever wants the
//! pair looks for *that hash and that node number* in the table. Full collisions of two keys'
//! hashes are so told apart, at no cost to anybody else.
//!
//! # Apart or together
//!
//! What the map takes as its key is a *slot*: it finds the pair, and has the word with it. There are
//! two kinds, and all that this page says is one code over either:
//!
//! ```text
//!   Store       slot: key, word         beside it: value
//!   ByteStore   slot: ---------> | count | word | length | key's length, key, value |
//!               8 bytes            24 bytes, then bytes; beside it: nothing
//! ```
//!
//! The value of a `ByteStore` is shared with whoever asked for it, so it cannot be changed where it
//! lies, and the map lets nobody change a slot that it holds but by putting another in its place.
//! So `compute` on bytes looks, decides with nothing locked, and puts a slot that *equals only
//! the one it has seen*: the map then replaces that one, under the bucket's lock, or nothing.
//!
//! # A wheel
//!
//! ```text
//!   level 6   | | | | ... |     64 slots, each 64^6 ticks wide
//!     ...
//!   level 1   | | |x| ... |     64 slots of 64 ticks
//!   level 0   | |x| | ... |     64 slots of one tick (50 ms)
//!                ^ cursor
//! ```
//!
//! A node lies on the level of the highest base-64 digit in which its tick differs from the
//! cursor, in the slot of that digit. When the cursor reaches a slot's first tick, its nodes move on
//! to a lower level, up to three times with a TTL of a day. That needs no look at their pairs, since
//! a node keeps the last 18 bits (three digits) of its tick: only when that tick comes is it due for
//! a look. Levels 4 to 6 have more digits below them than a node keeps, so there its pair is looked
//! at before the node moves on: as a rule once with a TTL of a year. A bit a slot lets empty time be
//! skipped at a stride. Deadlines are rounded *up* to ticks.
//!
//! # The rules, whose absence would each be a bug
//!
//! 1. **A pair's word and node change together**, under the pair's bucket lock (exclusive), with
//!    the shard's lock inside it: lock order *bucket, then shard*. A shard's lock is a leaf: under it
//!    nothing is locked, nothing yields, no user code runs.
//! 2. **The sweeper only looks.** It copies up to 32 due nodes under the shard's lock, lets go of
//!    it, and visits their buckets one by one. The nodes stay linked meanwhile, so a node is always
//!    either linked or free, and `clean` can tell when everything is really gone.
//! 3. **The deadline is checked again under the bucket's lock.** Between look and visit the pair
//!    may have been refreshed, or deleted and put anew with the very same node number.
//! 4. **A node that fired early is linked anew.** Extending a TTL does not touch the index, which
//!    is what makes a session's refresh cheap; the node finds out when it fires.
//! 5. **Shortening moves the node**, since a node must never lie later than its deadline asks.
//! 6. **The cursor moves before a slot is shown, and nothing is linked at it or before it**: a
//!    slot that is being emptied is never added to, so a sweep ends.
//! 7. **Removal takes the pair out, then frees its node**, so that no node left means no pair
//!    left. Until then the node is nobody else's: a sweeper that is shown it finds no pair.
//! 8. **Lazy expiry checks twice**: a reader that met an expired pair under the shared lock
//!    takes the exclusive one and looks again before it removes.
//! 9. **What is removed is handed out** and dropped when no lock is held.
//!
//! # Bounds
//!
//! In a bounded store every pair stands in an eviction queue, under a number that its word holds;
//! its node in the expiry index, while it has a TTL, lies under the same number in a slab of its
//! own. Queues are divided by hash as the index is (exact LRU has one lock for all). A put first
//! stores its pair, lets go of every lock, and then makes room while the store is over its bound, or
//! while it owes room. For under S3-FIFO a newcomer of a full store is not counted yet if somebody of its own
//! shard may go for it: it owes its weight, and is shown a candidate in the same turn at the shard's lock.
//! Who goes hands on his share, and the count, a cache line that all threads would write to, is read and,
//! where all pairs weigh the same, left alone. What the queues weigh is the count and all that is owed:
//!
//! 1. **What has expired goes first**, up to the last tick that has wholly passed: in steps of 32
//!    nodes, eight at most, and once a tick at most in vain.
//! 2. **The policy shows a candidate, and judges it under its bucket's lock**: it may have been used,
//!    deleted or put anew since it was chosen. A verdict takes the candidate's weight off what is owed, and
//!    what it weighs beyond that off the count, *if there is no room still*, in one atomic step, so that two
//!    who look for room do not both make it. Who finds that there is room, pays by being counted; so does who
//!    is to run user code before it has paid.
//! 3. **Nobody looks for long**: after 64 candidates that were all used, the next one goes.
//! 4. **A number is freed last**, after the pair is out and the node that lies under it is free. Only a pair
//!    that is evicted and has no such node frees it with the verdict: whoever is given it next has another
//!    hash, or waits for the same bucket.
//! 5. **Who comes after the candidate is fetched meanwhile**: its pair, and the node of the one after that, so
//!    that the next put to evict here waits for neither. Where a newcomer's ghost would lie, a look-up that has
//!    not found it fetches: it is likely to be put next.
//!
//! A hit under S3-FIFO is a load and a plain store on the pair's own word, and the load alone once
//! three uses are counted. It needs no locked instruction, so hits that meet may count as one, or undo
//! each other; the policy can do with a rough count. Under exact LRU a hit moves the pair to the front
//! under the policy's lock.
//!
//! # Telling of removals
//!
//! "In order for each key" and "outside every lock" pull apart: two threads that removed values of
//! one key may come to the listener the other way round. So a removal takes its place in a stripe's
//! queue under the bucket's lock, and is told from there when the lock is gone. A thread waits until
//! what stands before its own is told; a thread that is in a listener already tells it itself
//! instead, since listeners that waited for each other might do so for ever. The pair travels
//! through the queue and back, as the caller may be owed its value.
//!
//! # Single flight
//!
//! Loads in progress are known by the hash of their key. Who misses a key that is being loaded
//! waits and looks again; so hashes that collide cost a wait and nothing else. A write marks the
//! loads of its key as overtaken: under the bucket's lock, or, where there is no pair whose bucket
//! could be locked, before it looks. What was loaded is stored under the bucket's lock, unless
//! it was overtaken. Who would wait in a circle, or waits in a listener, loads alone and stores nothing.
//!
//! # Time
//!
//! A pair without a TTL costs no look at a clock. Otherwise the kernel's coarse clock (a few
//! nanoseconds) decides, unless the deadline is within a second of it; only then is the precise
//! clock read. The coarse clock is never ahead, so nothing expires early; the margin of a second
//! covers hosts that take the time-keeping processor away for a while. Deadlines are rounded up
//! to the millisecond, so nothing is gone before its time.
//!
//! A new deadline begins with a precise time, and a reading of the precise clock waits for all memory
//! that was asked for before. So a thread reads it once in half a millisecond, and goes on by the
//! processor's counter in between (`clock/ticks.rs`). That may be off by some microseconds, which no
//! deadline is: where they could make it another millisecond, one time in fifty, the clock is read. The
//! counter is used where the kernel's own clock is made of it, once it has kept its rate for two
//! trials, and no more once it disagrees with that clock.
//!
//! # Ahead of the cache
//!
//! With millions of pairs a look-up is a row of cache misses, each known only after the one before:
//! bucket, slot, then what the slot points to. A processor goes on with the calls that follow
//! meanwhile, as far as a few hundred instructions reach, but not past the reading of a precise clock,
//! which waits for all that came before; nor past a read of what was just written in two parts, which
//! waits until those have reached the cache. So what counts is how soon memory is asked for, how few
//! instructions a call takes, and that it waits for none before it. Six things help, most of them
//! hints to the machine; no answer depends on any.
//!
//! - **Bucket and slots are fetched side by side**, as soon as the hash is known: of the 32 slots of a
//!   block, and of the values beside them, the lines that are likely to be in use; of what is larger than
//!   32 bytes, one line.
//!   Slots lie in one piece of memory, 32 to a bucket; calls show where it begins, and the top bits
//!   of a hash say the rest. Buckets are never shown; where a map made with room for all its pairs
//!   will have them, the allocator tells who asks for as much just before (`table/whereabouts.rs`).
//! - **`get_many` takes each step for 32 keys together**: buckets, where they are known; then slots, which it
//!   finds without waiting for one, as it looks for a key that claims to equal whatever has its fingerprint,
//!   and the map names a slot whose memory nobody has read yet; then what those point to. It fetches no more
//!   than it needs: how much memory is asked for is what limits a batch.
//! - **So does the sweeper**, for the 32 pairs of a batch, which nobody has touched for a while.
//! - **The table lies in huge pages** from 8 MiB on, if the system has them for programs that ask: the place
//!   of a small page is often in no cache, either. A table made with room for all its pairs has the system
//!   give its memory then, not in the middle of calls (`table/whereabouts/memory.rs`).
//! - **A record is fetched whole**, three lines of it, before its first says how long it is.
//! - **What calls read lies apart from what they write** (`store/parts.rs`), down to the low bits of
//!   addresses: or a call may wait for the memory that the one before it has asked for.
//!
//! # Gates
//!
//! The map's locks go to whoever has waited longest. With more threads than processors, one that holds a lock
//! is stopped now and then for longer than others spin; they queue, and from then on each call on that
//! bucket waits until another thread has been woken, many times as long. So a call that writes passes a
//! gate first (`sync/gates.rs`), a thousand of them by hash, all open: but for one call in 128, which is
//! timed, it is a load. If that call took so long that it must have queued, one writer at a time passes
//! from then on, whoever comes first, until a million in a row have found nobody there. With no more than
//! one writer at a lock, readers do not queue, either. Gates order nothing, and models leave them out.
//!
//! # Counting
//!
//! The map's own length costs a scan, so pairs are counted in stripes, as are hits, misses and the
//! rest. Up to 64 living threads own one each, and count without a locked instruction; those beyond
//! share eight. Sums are exact once the store is quiet.
//!
//! # Limits
//!
//! - Up-time and TTL together reach 34.8 years (40 bits of milliseconds); beyond, `put_with_ttl`
//!   answers [`TtlError::TooLong`](crate::TtlError::TooLong).
//! - 64 shards number 268 million keys with a TTL, more with a larger
//!   [`capacity`](crate::Builder::capacity) (up to 17 billion). A pair that finds its shard full
//!   still expires to the millisecond for every caller, but if nobody touches it, only
//!   [`clean`](crate::Store::clean) reclaims it, by a scan.
//! - A bounded store numbers a billion pairs, exact LRU and weights included; in a shard that has
//!   no number left (four million each), newcomers are evicted as they come.
//! - The slab of nodes does not shrink; freed nodes are used again first.
