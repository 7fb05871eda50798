//! Which rows are on their way: a pure structure from which the cursor follows.

use std::collections::VecDeque;

use crate::store::names::Stem;
use crate::store::position::Position;

/// Names one piece that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// The pieces of one writer's log that are on their way, in order. Answers arrive in any order.
///
/// Invariant: everything before [`Window::cursor`] is answered, and nothing that is not answered is before it.
#[derive(Debug)]
pub(super) struct Window {
    cursor: Position,
    next: Position,
    first_ticket: u64,
    pieces: VecDeque<Piece>,
}

#[derive(Debug)]
struct Piece {
    stem: Stem,
    rows: u64,
    /// Where the cursor may go once it is answered.
    end: Position,
    answered: bool,
}

impl Window {
    /// A window that starts at `position`.
    pub(super) fn new(position: Position) -> Self {
        Self { cursor: position.clone(), next: position, first_ticket: 0, pieces: VecDeque::new() }
    }

    /// The lowest row that is not answered.
    pub(super) fn cursor(&self) -> &Position {
        &self.cursor
    }

    /// Where the next piece starts.
    pub(super) fn next(&self) -> &Position {
        &self.next
    }

    /// Whether everything that was handed out is answered.
    pub(super) fn is_idle(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Files and rows of what is handed out and not answered.
    pub(super) fn on_the_way(&self) -> impl Iterator<Item = (&Stem, u64)> {
        self.pieces.iter().filter(|piece| !piece.answered).map(|piece| (&piece.stem, piece.rows))
    }

    /// Hands out everything from [`Window::next`] up to `end` in the same file.
    pub(super) fn issue(&mut self, end: Position) -> Ticket {
        let ticket = Ticket(self.first_ticket + self.pieces.len() as u64);
        let rows = end.row.saturating_sub(self.next.row);
        self.pieces.push_back(Piece { stem: end.stem.clone(), rows, end: end.clone(), answered: false });
        self.next = end;
        ticket
    }

    /// Goes on in another file: what is left of the present one does not exist.
    pub(super) fn skip_to(&mut self, position: Position) {
        self.next = position.clone();
        match self.pieces.back_mut() {
            Some(last) => last.end = position,
            None => self.cursor = position,
        }
    }

    /// Forgets what is on its way: everything from the cursor on is handed out again. Returns the pieces that were not
    /// answered.
    pub(super) fn take_back(&mut self) -> Vec<(Stem, u64)> {
        self.first_ticket += self.pieces.len() as u64;
        self.next = self.cursor.clone();
        self.pieces.drain(..).filter(|piece| !piece.answered).map(|piece| (piece.stem, piece.rows)).collect()
    }

    /// One piece is answered for good. Whether the cursor moved.
    pub(super) fn answer(&mut self, ticket: Ticket) -> bool {
        let index = ticket.0.checked_sub(self.first_ticket).and_then(|index| usize::try_from(index).ok());
        if let Some(piece) = index.and_then(|index| self.pieces.get_mut(index)) {
            piece.answered = true;
        }
        let before = self.first_ticket;
        while self.pieces.front().is_some_and(|piece| piece.answered) {
            if let Some(piece) = self.pieces.pop_front() {
                self.cursor = piece.end;
                self.first_ticket += 1;
            }
        }
        self.first_ticket != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::names::{Stem, WriterId};
    use proptest::prelude::*;

    fn at(seq: u32, row: u64) -> Position {
        Position { stem: Stem { created_ms: 1, writer: WriterId(7), seq }, row }
    }

    #[test]
    fn the_cursor_waits_for_the_oldest_answer() {
        let mut window = Window::new(at(1, 0));
        let first = window.issue(at(1, 10));
        let second = window.issue(at(1, 20));
        assert!(!window.answer(second));
        assert_eq!(window.cursor(), &at(1, 0));
        assert_eq!(window.on_the_way().map(|(stem, rows)| (stem.seq, rows)).collect::<Vec<_>>(), [(1, 10)]);
        assert!(window.answer(first));
        assert_eq!(window.cursor(), &at(1, 20));
        assert!(!window.answer(first), "twice is harmless");
        let third = window.issue(at(1, 30));
        let fourth = window.issue(at(1, 35));
        assert!(!window.answer(fourth));
        assert_eq!(window.take_back().iter().map(|(stem, rows)| (stem.seq, *rows)).collect::<Vec<_>>(), [(1, 10)]);
        assert_eq!((window.cursor(), window.next()), (&at(1, 20), &at(1, 20)));
        assert!(!window.answer(third), "an answer to what was taken back");
        let again = window.issue(at(1, 30));
        assert!(window.answer(again));
        assert_eq!(window.cursor(), &at(1, 30));
        window.skip_to(at(3, 0));
        assert_eq!((window.cursor(), window.next()), (&at(3, 0), &at(3, 0)));
    }

    proptest! {
        /// However answers are shuffled, the cursor is at the end of the longest answered run.
        #[test]
        fn the_cursor_never_passes_an_unanswered_row(order in Just((0_usize..40).collect::<Vec<_>>()).prop_shuffle()) {
            let mut window = Window::new(at(1, 0));
            let tickets: Vec<_> = (0..40).map(|n| window.issue(at(1, n + 1))).collect();
            let mut answered = [false; 40];
            for index in order {
                window.answer(tickets[index]);
                answered[index] = true;
                let run = answered.iter().take_while(|done| **done).count() as u64;
                prop_assert_eq!(window.cursor(), &at(1, run));
            }
            prop_assert!(window.is_idle());
        }
    }
}
