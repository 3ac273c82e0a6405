//! Two desks and the order in which things may happen to them.

use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::wire::MAX_DATA;
use super::*;

const LIMITS: Limits = Limits { policy: Policy::Accept, max_size: 1000 };

fn about(size: u64) -> About {
    About { name: "../a\u{1b}b.txt".to_owned(), size, kind: "text/plain".to_owned() }
}

fn hash(of: &[u8]) -> Hash {
    blake3::hash(of)
}

/// What an end says, in words.
fn said(effects: &[Effect]) -> Vec<String> {
    let text = |effect: &Effect| match effect {
        Effect::Say(message) => Some(message.text()),
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}

/// Reasons that an end tells.
fn failures(effects: &[Effect]) -> Vec<Why> {
    let why = |effect: &Effect| match effect {
        Effect::Tell { moment: Moment::Failed(why), .. } => Some(*why),
        _ => None,
    };
    effects.iter().filter_map(why).collect()
}

/// A desk that receives a file of 100 bytes under the other side's number 7.
fn receiving(limits: Limits) -> (Desk, Vec<Effect>) {
    let mut desk = Desk::new(limits);
    let mut effects = desk.message(Message::Offer(7, about(100)), Duration::ZERO);
    effects.extend(desk.prepared(1, Ok((40, hash(b"x")))));
    effects.extend(desk.message(Message::Begin(7, 40), Duration::ZERO));
    (desk, effects)
}

fn chunk(at: u64, length: usize) -> Chunk {
    Chunk { id: 7, at, data: Bytes::from(vec![1; length]) }
}

#[test]
fn an_offer_is_told_under_a_safe_name_and_waits_for_consent() {
    let mut desk = Desk::new(Limits { policy: Policy::Ask, ..LIMITS });
    let effects = desk.message(Message::Offer(7, about(100)), Duration::ZERO);
    let [Effect::Tell { number: 1, remote: true, about, moment: Moment::Offered }] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(about.name, "ab.txt");
    assert_eq!(desk.oldest_offer(), Some(1));
    assert!(desk.message(Message::Begin(7, 0), Duration::ZERO).is_empty());
    assert!(desk.chunk(chunk(0, 5), Duration::ZERO).is_empty());
    assert!(matches!(desk.accept(1).unwrap()[..], [Effect::Prepare(1, _)]));
    assert!(desk.accept(1).is_err() && desk.decline(1).is_err() && desk.accept(2).is_err());
    assert_eq!(desk.oldest_offer(), None);
}

#[test]
fn what_is_not_wanted_is_refused_at_once() {
    let mut desk = Desk::new(LIMITS);
    let refused = desk.message(Message::Offer(1, about(1001)), Duration::ZERO);
    assert_eq!(
        (said(&refused), failures(&refused)),
        (vec!["refuse 1 too-large".into()], vec![Why::TooLarge])
    );
    for id in 2..10 {
        assert!(said(&desk.message(Message::Offer(id, about(1)), Duration::ZERO)).is_empty());
    }
    assert_eq!(said(&desk.message(Message::Offer(99, about(1)), Duration::ZERO)), ["refuse 99 too-many"]);
    // A number that is in use changes nothing.
    assert!(desk.message(Message::Offer(5, about(900)), Duration::ZERO).is_empty());
    let mut closed = Desk::new(Limits { policy: Policy::Decline, ..LIMITS });
    assert_eq!(said(&closed.message(Message::Offer(1, about(1)), Duration::ZERO)), ["refuse 1 not-wanted"]);
}

#[test]
fn a_file_goes_on_from_what_is_there() {
    let (mut desk, effects) = receiving(LIMITS);
    assert_eq!(said(&effects), [format!("accept 7 40 {}", hash(b"x"))]);
    let write = desk.chunk(chunk(40, 60), Duration::ZERO);
    assert!(matches!(write[..], [Effect::Write(1, _)]));
    assert_eq!(said(&desk.written(1, 100, Duration::ZERO)), ["got 7 100"]);
    assert!(matches!(desk.message(Message::End(7, hash(b"y")), Duration::ZERO)[..], [Effect::Keep(1, _)]));
    let done = desk.kept(1, Ok("/tmp/a".into()));
    assert_eq!(said(&done), ["done 7"]);
    assert!(desk.message(Message::End(7, hash(b"y")), Duration::ZERO).is_empty());
}

#[test]
fn a_sender_with_other_bytes_starts_again() {
    let mut desk = Desk::new(LIMITS);
    desk.message(Message::Offer(7, about(100)), Duration::ZERO);
    desk.prepared(1, Ok((40, hash(b"x"))));
    let effects = desk.message(Message::Begin(7, 0), Duration::ZERO);
    assert!(effects.contains(&Effect::Restart(1)));
    assert!(matches!(desk.chunk(chunk(0, 5), Duration::ZERO)[..], [Effect::Write(1, _)]));
}

#[test]
fn more_than_was_offered_or_another_place_ends_the_transfer_and_removes_the_part() {
    for wrong in [chunk(40, 61), chunk(41, 5), chunk(0, 5), chunk(u64::MAX / 2, 5)] {
        let (mut desk, _) = receiving(LIMITS);
        let effects = desk.chunk(wrong, Duration::ZERO);
        assert_eq!(said(&effects), ["refuse 7 broken"]);
        assert!(effects.contains(&Effect::Close(1, true)));
        assert!(desk.chunk(chunk(40, 5), Duration::ZERO).is_empty());
    }
    let (mut desk, _) = receiving(LIMITS);
    let early = desk.message(Message::End(7, hash(b"y")), Duration::ZERO);
    assert_eq!(failures(&early), [Why::Broken]);
}

#[test]
fn a_file_of_another_hash_is_told_to_both() {
    let (mut desk, _) = receiving(LIMITS);
    desk.chunk(chunk(40, 60), Duration::ZERO);
    desk.message(Message::End(7, hash(b"y")), Duration::ZERO);
    let effects = desk.kept(1, Err(Why::Mismatch));
    assert_eq!((said(&effects), failures(&effects)), (vec!["refuse 7 mismatch".into()], vec![Why::Mismatch]));
}

#[test]
fn a_sender_that_never_finishes_is_given_up() {
    let (mut desk, _) = receiving(LIMITS);
    desk.chunk(chunk(40, 5), Duration::from_secs(100));
    assert!(desk.tick(Duration::from_secs(220)).is_empty());
    let effects = desk.tick(Duration::from_secs(221));
    assert_eq!(said(&effects), ["refuse 7 stalled"]);
    assert!(effects.contains(&Effect::Close(1, false)));
}

#[test]
fn a_receiver_cannot_claim_what_it_has_not_got() {
    let mut desk = Desk::new(LIMITS);
    let (number, _) = desk.offer(about(100)).unwrap();
    assert!(desk.message(Message::Got(1, 10), Duration::ZERO).is_empty());
    let begin = desk.message(Message::Accept(1, 0, hash(b"")), Duration::ZERO);
    assert!(matches!(begin[..], [Effect::Begin { id: 1, from: 0, .. }]));
    let began = desk.began(number, 0);
    assert_eq!(said(&began), ["begin 1 0"]);
    assert!(desk.message(Message::Got(1, 101), Duration::ZERO).is_empty());
    assert_eq!(desk.message(Message::Got(1, 60), Duration::ZERO).len(), 2);
    assert!(desk.message(Message::Got(1, 50), Duration::ZERO).is_empty());
    let early = desk.message(Message::Done(1), Duration::ZERO);
    assert_eq!((said(&early), failures(&early)), (vec!["withdraw 1 broken".into()], vec![Why::Broken]));
    // More than the file has.
    desk.offer(about(100)).unwrap();
    assert_eq!(failures(&desk.message(Message::Accept(2, 101, hash(b"")), Duration::ZERO)), [Why::Broken]);
}

#[test]
fn the_end_of_the_call_ends_every_transfer_and_keeps_the_parts() {
    let (mut desk, _) = receiving(LIMITS);
    desk.offer(about(3)).unwrap();
    let effects = desk.close();
    assert_eq!(failures(&effects), [Why::CallEnded, Why::CallEnded]);
    assert!(effects.contains(&Effect::Close(1, false)) && effects.contains(&Effect::Release(2)));
    assert!(desk.close().is_empty());
}

/// What may happen to a desk, in any order.
#[derive(Debug, Clone)]
enum Step {
    Word(Message),
    Chunk(u32, u64, usize),
    Person(u8, u32),
    Disk(u8, u32, u64),
    Time(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let id = 0..4_u32;
    let place = 0..130_u64;
    let why = prop::sample::select(&Why::ALL[..]);
    let word = prop_oneof![
        (id.clone(), place.clone()).prop_map(|(id, size)| Message::Offer(id, about(size * 10))),
        (id.clone(), place.clone()).prop_map(|(id, at)| Message::Accept(id, at, hash(b"x"))),
        (id.clone(), place.clone()).prop_map(|(id, at)| Message::Begin(id, at)),
        (id.clone(), place.clone()).prop_map(|(id, at)| Message::Got(id, at)),
        id.clone().prop_map(|id| Message::End(id, hash(b"x"))),
        id.clone().prop_map(Message::Done),
        (id.clone(), why.clone()).prop_map(|(id, why)| Message::Withdraw(id, why)),
        (id.clone(), why).prop_map(|(id, why)| Message::Refuse(id, why)),
    ];
    prop_oneof![
        4 => word.prop_map(Step::Word),
        2 => (id.clone(), place.clone(), 1..200_usize).prop_map(|(id, at, length)| Step::Chunk(id, at, length)),
        2 => (0..4_u8, 0..9_u32).prop_map(|(what, number)| Step::Person(what, number)),
        3 => (0..7_u8, 0..9_u32, place).prop_map(|(what, number, at)| Step::Disk(what, number, at)),
        1 => (0..300_u64).prop_map(Step::Time),
    ]
}

fn take(desk: &mut Desk, step: Step, now: Duration) -> Vec<Effect> {
    match step {
        Step::Word(message) => desk.message(message, now),
        Step::Chunk(id, at, length) => desk.chunk(Chunk { id, at, data: Bytes::from(vec![0; length]) }, now),
        Step::Person(0, _) => desk.offer(about(100)).map(|(_, effects)| effects).unwrap_or_default(),
        Step::Person(1, number) => desk.accept(number).unwrap_or_default(),
        Step::Person(2, number) => desk.decline(number).unwrap_or_default(),
        Step::Person(_, number) => desk.cancel(number).unwrap_or_default(),
        Step::Disk(0, number, at) => desk.prepared(number, Ok((at, hash(b"x")))),
        Step::Disk(1, number, _) => desk.prepared(number, Err(Why::NoSpace)),
        Step::Disk(2, number, at) => desk.written(number, at, now),
        Step::Disk(3, number, _) => desk.kept(number, Ok("/tmp/a".into())),
        Step::Disk(4, number, at) => desk.began(number, at),
        Step::Disk(5, number, _) => {
            desk.read(number, hash(b"x"));
            Vec::new()
        }
        Step::Disk(_, number, _) => desk.unsent(number, Why::Changed),
        Step::Time(_) => desk.tick(now),
    }
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_order_is_bounded_and_told_once(
        policy in prop::sample::select(vec![Policy::Ask, Policy::Accept]),
        steps in prop::collection::vec(any_step(), 0..120),
    ) {
        let mut desk = Desk::new(Limits { policy, ..LIMITS });
        let mut now = Duration::ZERO;
        let (mut open, mut over) = (Vec::new(), Vec::new());
        let mut written = BTreeMap::<u32, u64>::new();
        let closing = steps.len();
        for turn in 0..=closing {
            let effects = match steps.get(turn) {
                Some(step) => {
                    if let Step::Time(seconds) = step {
                        now += Duration::from_secs(*seconds);
                    }
                    take(&mut desk, step.clone(), now)
                }
                None => desk.close(),
            };
            for effect in effects {
                match effect {
                    Effect::Tell { number, about, moment, .. } => {
                        prop_assert!(!over.contains(&number), "{number} was over");
                        match moment {
                            Moment::Offered => open.push(number),
                            Moment::Done(..) | Moment::Failed(_) => over.push(number),
                            _ => prop_assert!(open.contains(&number)),
                        }
                        prop_assert!(!about.name.contains('/') || about.name.starts_with(".."));
                    }
                    Effect::Write(number, chunk) => {
                        let most = written.entry(number).or_default();
                        *most += chunk.data.len() as u64;
                        prop_assert!(*most <= LIMITS.max_size && chunk.data.len() <= MAX_DATA);
                    }
                    _ => {}
                }
            }
            prop_assert!(desk.outgoing.len() <= AT_ONCE && desk.incoming.len() <= AT_ONCE);
        }
        prop_assert!(open.iter().all(|number| over.contains(number)));
    }

    #[test]
    fn a_file_arrives_whole_whatever_its_size_and_wherever_it_goes_on(size in 0..1000_u64, there in 0..1200_u64, block in 1..300_usize) {
        let there = there.min(size);
        let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let mut part = bytes[..there as usize].to_vec();
        let (mut a, mut b) = (Desk::new(LIMITS), Desk::new(LIMITS));
        let (number, effects) = a.offer(about(size)).unwrap();
        let mut queue: VecDeque<(bool, Effect)> = effects.into_iter().map(|effect| (true, effect)).collect();
        let (mut kept, mut done) = (false, false);
        let now = Duration::ZERO;
        while let Some((of_a, effect)) = queue.pop_front() {
            let (desk, other) = if of_a { (&mut a, &mut b) } else { (&mut b, &mut a) };
            let answered: Vec<(bool, Effect)> = match effect {
                Effect::Say(message) => {
                    let again = Message::parse(&message.text()).expect("what is said can be read");
                    other.message(again, now).into_iter().map(|effect| (!of_a, effect)).collect()
                }
                Effect::Prepare(number, _) => {
                    let prepared = desk.prepared(number, Ok((part.len() as u64, hash(&part))));
                    prepared.into_iter().map(|effect| (of_a, effect)).collect()
                }
                Effect::Begin { number, from, prefix, .. } => {
                    let from = if hash(&bytes[..from as usize]) == prefix { from } else { 0 };
                    desk.began(number, from).into_iter().map(|effect| (of_a, effect)).collect()
                }
                Effect::Moved { upto, .. } if upto < size => {
                    let end = (upto as usize + block).min(bytes.len());
                    let data = Bytes::copy_from_slice(&bytes[upto as usize..end]);
                    let sent = other.chunk(Chunk { id: 1, at: upto, data }, now);
                    sent.into_iter().map(|effect| (!of_a, effect)).collect()
                }
                Effect::Moved { number, .. } => {
                    desk.read(number, hash(&bytes));
                    let end = other.message(Message::End(1, hash(&bytes)), now);
                    end.into_iter().map(|effect| (!of_a, effect)).collect()
                }
                Effect::Write(number, chunk) => {
                    part.extend_from_slice(&chunk.data);
                    let written = desk.written(number, part.len() as u64, now);
                    written.into_iter().map(|effect| (of_a, effect)).collect()
                }
                Effect::Keep(number, wanted) => {
                    kept = wanted == hash(&part);
                    desk.kept(number, Ok("/tmp/a".into())).into_iter().map(|effect| (of_a, effect)).collect()
                }
                Effect::Tell { moment: Moment::Done(..), number: told, .. } => {
                    done |= of_a && told == number;
                    Vec::new()
                }
                Effect::Tell { moment: Moment::Failed(why), .. } => panic!("{why:?}"),
                _ => Vec::new(),
            };
            queue.extend(answered);
        }
        prop_assert!(kept && done);
        prop_assert_eq!(part, bytes);
    }
}
