//! Does operations and looks at the answers.

use std::borrow::Borrow as _;

use super::{Action, Answer, Pair, Worker, to_ms, version};
use crate::replay::keys::Keys;
use crate::replay::record::{Suspect, Witness};
use crate::replay::value::{Carried, Value, Wrong};
use crate::target::Target;
use crate::workload::model::Verb;
use crate::workload::stream::Op;

impl<T, S, V> Worker<'_, T, S, V>
where
    T: Target<S::Key, V>,
    S: Keys,
    V: Value,
{
    /// Does the operation and looks at the answer.
    #[inline]
    pub(super) fn apply(&mut self, action: Action<S::Key, V>, op: Op, position: u64) -> Verb {
        let verb = match action {
            Action::Get => {
                let answer = self.get(op.key());
                self.judge(answer, op.key(), position);
                Verb::Get
            }
            Action::Touch(ttl) => {
                let answer = self.get(op.key());
                if answer.is_some() {
                    self.target.expire(self.keys.lend(op.key()).borrow(), ttl);
                }
                self.judge(answer, op.key(), position);
                Verb::Get
            }
            Action::Put(pair) => {
                self.write(pair);
                Verb::Put
            }
            Action::Delete => {
                self.target.delete(self.keys.lend(op.key()).borrow());
                Verb::Delete
            }
            Action::Expire(ttl) => {
                self.target.expire(self.keys.lend(op.key()).borrow(), ttl);
                Verb::Expire
            }
            Action::GetOrPut => {
                let answer = self.get(op.key());
                if answer.is_none() {
                    // The value is made when it is known to be missing, as a loader would.
                    let pair = self.new_pair(op, position);
                    self.write(pair);
                }
                self.judge(answer, op.key(), position);
                Verb::GetOrPut
            }
            Action::GetMany => {
                self.get_many(position);
                Verb::GetMany
            }
            Action::ReadModifyWrite(pair) => {
                let answer = self.get(op.key());
                self.write(pair);
                self.judge(answer, op.key(), position);
                Verb::ReadModifyWrite
            }
            Action::Insert(pair) => {
                self.write(pair);
                Verb::Insert
            }
        };
        self.record.ops[verb as usize] += 1;
        verb
    }

    #[inline]
    fn get(&mut self, number: u32) -> Answer {
        self.target.get(self.keys.lend(number).borrow(), |value| value.check(number))
    }

    #[inline]
    fn write(&mut self, Pair { key, value, ttl }: Pair<S::Key, V>) {
        match ttl {
            Some(ttl) => self.target.put_with_ttl(key, value, ttl),
            None => self.target.put(key, value),
        }
    }

    /// Looks up the keys of the batch by one call.
    #[inline]
    fn get_many(&mut self, position: u64) {
        self.answers.clear();
        self.answers.resize(self.batch.len(), None);
        let (batch, answers) = (&self.batch, &mut self.answers);
        self.target.get_many(batch.iter().map(|(_, key)| key.borrow()), |at, value| {
            answers[at] = value.map(|value| value.check(batch[at].0));
        });
        for at in 0..self.batch.len() {
            self.judge(self.answers[at], self.batch[at].0, position);
        }
    }

    /// What the operation's write is known by.
    #[inline]
    pub(super) fn version(&self, position: u64) -> u32 {
        version(self.thread, position)
    }

    #[inline]
    fn judge(&mut self, answer: Answer, key: u32, position: u64) {
        match answer {
            None if self.evicts => self.record.counts.miss += 1,
            None => self.record.missed(key, position),
            Some(Err(Wrong)) => self.record.counts.wrong += 1,
            Some(Ok(Carried { version, deadline_ms })) => {
                self.record.counts.hit += 1;
                if self.hearings.is_due() {
                    self.record.witness(Witness { position, key, version });
                }
                // `known_ns` was read before the get began.
                if deadline_ms != 0 && to_ms(self.known_ns) > deadline_ms {
                    let (reader, seen_ns) = (self.version(position), self.known_ns);
                    self.record.suspect(Suspect { key, deadline_ms, reader, seen_ns });
                }
            }
        }
    }
}
