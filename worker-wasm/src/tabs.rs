//! The tabs of one browser share the machine's cores out among them.
//!
//! Each says on a channel of the browser that it is there, and goes on saying it; all know the same
//! tabs, and share by the same rule, so nobody has to decide for the others. A tab that vanished
//! without a word is forgotten after a while.

use crate::worker::Action;
use std::collections::BTreeMap;
use std::time::Duration;
use tequio_protocol::limits::{TAB_BEAT, TAB_ID_CHARS_MAX, TAB_SILENCE_MAX, TABS_MAX};
use tequio_protocol::page::TabMessage;

/// The tabs that share, as one of them knows them.
#[derive(Debug, Default)]
pub(crate) struct Tabs {
    /// This one's id.
    me: String,
    /// When it next says that it is there; none while it does not share.
    beat_at: Option<Duration>,
    /// The others' ids, and when they were last heard of.
    others: BTreeMap<String, Duration>,
}

impl Tabs {
    /// This tab takes part from now on, by this name.
    pub(crate) fn join(&mut self, me: &str, now: Duration, actions: &mut Vec<Action>) {
        self.me = me.to_owned();
        self.others.remove(me);
        self.rejoin(now, actions);
    }

    /// This tab takes part again, by the name that it had, if it had one.
    pub(crate) fn rejoin(&mut self, now: Duration, actions: &mut Vec<Action>) {
        // Nobody has watched them meanwhile.
        self.others.retain(|_, heard| *heard + TAB_SILENCE_MAX > now);
        if !self.me.is_empty() {
            self.beat(now, actions);
        }
    }

    /// This tab leaves its cores to the others.
    pub(crate) fn leave(&mut self, actions: &mut Vec<Action>) {
        if self.beat_at.take().is_some() {
            actions.push(Action::Broadcast(TabMessage::Bye { tab: self.me.clone() }.write()));
        }
    }

    /// Another tab has said something. Other things may be said on that channel; they are of no
    /// interest here.
    pub(crate) fn hear(&mut self, text: &str, now: Duration, actions: &mut Vec<Action>) {
        match TabMessage::read(text) {
            Ok(TabMessage::Here { tab }) if tab != self.me => {
                let is_known = self.others.contains_key(&tab);
                if tab.len() > TAB_ID_CHARS_MAX || !is_known && self.others.len() >= TABS_MAX {
                    return;
                }
                self.others.insert(tab, now);
                if !is_known && self.beat_at.is_some() {
                    // A new one has not heard of this one.
                    self.beat(now, actions);
                }
            }
            Ok(TabMessage::Bye { tab }) => {
                self.others.remove(&tab);
            }
            Ok(TabMessage::Here { .. }) | Err(_) => {}
        }
    }

    /// When [`Tabs::timeout`] has something to do, if ever.
    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        let beat_at = self.beat_at?;
        self.others.values().map(|heard| *heard + TAB_SILENCE_MAX).chain([beat_at]).min()
    }

    /// Says that this tab is there, and forgets who is silent.
    pub(crate) fn timeout(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.others.retain(|_, heard| *heard + TAB_SILENCE_MAX > now);
        if self.beat_at.is_some_and(|at| at <= now) {
            self.beat(now, actions);
        }
    }

    /// All that share, this tab included.
    pub(crate) fn count(&self) -> u32 {
        self.others.len() as u32 + 1
    }

    /// This tab's part of `cores`: those before it in the order of ids have one more where it does
    /// not come out even; nobody has less than one.
    pub(crate) fn part_of(&self, cores: u32) -> u32 {
        if self.beat_at.is_none() {
            return cores.max(1);
        }
        let rank = self.others.keys().filter(|tab| **tab < self.me).count() as u32;
        let (even, odd) = (cores / self.count(), cores % self.count());
        (even + u32::from(rank < odd)).max(1)
    }

    fn beat(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.beat_at = Some(now + TAB_BEAT);
        actions.push(Action::Broadcast(TabMessage::Here { tab: self.me.clone() }.write()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Tabs of one browser on virtual time; what one says reaches all others.
    #[derive(Default)]
    struct Browser {
        now: Duration,
        tabs: Vec<Option<Tabs>>,
    }

    impl Browser {
        fn open(&mut self, id: &str) {
            let (mut tab, mut actions) = (Tabs::default(), Vec::new());
            tab.join(id, self.now, &mut actions);
            self.tabs.push(Some(tab));
            self.carry(self.tabs.len() - 1, actions);
        }

        fn carry(&mut self, from: usize, actions: Vec<Action>) {
            let mut said: VecDeque<(usize, Action)> =
                actions.into_iter().map(|action| (from, action)).collect();
            let mut count = 0;
            while let Some((from, action)) = said.pop_front() {
                count += 1;
                assert!(count < 10_000, "they answer each other for ever");
                let Action::Broadcast(text) = action else { panic!("{action:?}") };
                for (index, tab) in self.tabs.iter_mut().enumerate() {
                    let Some(tab) = tab.as_mut().filter(|_| index != from) else { continue };
                    let mut actions = Vec::new();
                    tab.hear(&text, self.now, &mut actions);
                    said.extend(actions.into_iter().map(|action| (index, action)));
                }
            }
        }

        fn leave(&mut self, index: usize) {
            let mut actions = Vec::new();
            self.tabs[index].as_mut().unwrap().leave(&mut actions);
            self.tabs[index] = None;
            self.carry(index, actions);
        }

        fn pass(&mut self, time: Duration) {
            let end = self.now + time;
            loop {
                let next = |tab: &Option<Tabs>| tab.as_ref().and_then(Tabs::next_timeout);
                let due = self.tabs.iter().enumerate();
                let due = due.filter_map(|(index, tab)| Some((next(tab)?, index))).min();
                let Some((at, index)) = due.filter(|(at, _)| *at <= end) else { break };
                self.now = self.now.max(at);
                let mut actions = Vec::new();
                self.tabs[index].as_mut().unwrap().timeout(self.now, &mut actions);
                self.carry(index, actions);
            }
            self.now = end;
        }

        fn parts(&self, cores: u32) -> Vec<u32> {
            self.tabs.iter().flatten().map(|tab| tab.part_of(cores)).collect()
        }
    }

    fn browser(ids: &[&str]) -> Browser {
        let mut browser = Browser::default();
        ids.iter().for_each(|id| browser.open(id));
        browser
    }

    #[test]
    fn all_cores_are_shared_out_and_nobody_goes_without() {
        let ids = ["d", "a", "c", "b", "e"];
        for count in 1..=ids.len() {
            let browser = browser(&ids[..count]);
            for cores in 1..20 {
                let parts = browser.parts(cores);
                assert!(parts.iter().all(|part| *part >= 1));
                assert_eq!(parts.iter().sum::<u32>(), cores.max(count as u32), "{parts:?}");
                let (least, most) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
                assert!(most - least <= 1, "{parts:?}");
            }
        }
    }

    #[test]
    fn they_share_again_when_one_leaves_or_vanishes() {
        let mut browser = browser(&["a", "b", "c"]);
        assert_eq!(browser.parts(6), [2, 2, 2]);
        browser.leave(1);
        assert_eq!(browser.parts(6), [3, 3]);
        browser.tabs[0] = None;
        assert_eq!(browser.parts(6), [3], "nobody was told");
        browser.pass(TAB_SILENCE_MAX);
        assert_eq!(browser.parts(6), [6]);
        browser.open("d");
        assert_eq!(browser.parts(6), [3, 3]);
    }

    #[test]
    fn who_goes_on_saying_so_is_not_forgotten() {
        let mut browser = browser(&["a", "b", "c"]);
        browser.pass(Duration::from_secs(600));
        assert_eq!(browser.parts(7), [3, 2, 2]);
    }

    #[test]
    fn who_does_not_share_knows_of_nobody_and_says_nothing() {
        let (mut tabs, mut actions) = (Tabs::default(), Vec::new());
        assert_eq!((tabs.part_of(8), tabs.part_of(0), tabs.next_timeout()), (8, 1, None));
        tabs.hear(r#"{"type":"here","tab":"x"}"#, Duration::ZERO, &mut actions);
        tabs.leave(&mut actions);
        assert!(actions.is_empty());
        tabs.join("a", Duration::ZERO, &mut actions);
        assert_eq!(tabs.part_of(8), 4, "it has been heard of before");
    }

    #[test]
    fn rubbish_and_floods_on_the_channel_are_harmless() {
        let (mut tabs, mut actions) = (Tabs::default(), Vec::new());
        tabs.join("a", Duration::ZERO, &mut actions);
        actions.clear();
        let long = format!(r#"{{"type":"here","tab":"{}"}}"#, "x".repeat(TAB_ID_CHARS_MAX + 1));
        for text in ["", "x", "[]", r#"{"type":"boo"}"#, r#"{"type":"here"}"#, &long] {
            tabs.hear(text, Duration::ZERO, &mut actions);
        }
        tabs.hear(r#"{"type":"here","tab":"a"}"#, Duration::ZERO, &mut actions);
        assert!(actions.is_empty() && tabs.count() == 1);
        for tab in 0..10 * TABS_MAX {
            tabs.hear(
                &TabMessage::Here { tab: format!("b{tab}") }.write(),
                Duration::ZERO,
                &mut actions,
            );
        }
        assert_eq!(tabs.count() as usize, TABS_MAX + 1);
    }
}
