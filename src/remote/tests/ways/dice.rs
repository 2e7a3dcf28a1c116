//! Bodies written in every odd way.

use super::wire;

/// Numbers that look random, the same each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % n
    }

    /// Once in `n` times.
    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// A varint, sometimes with more bytes than it needs, or more bits than fit.
    fn varint(&mut self, value: u64, to: &mut Vec<u8>) {
        if !self.one_in(60) {
            return wire::put_varint(value, to);
        }
        if self.one_in(4) {
            return wire::put_varint(value | 1 << 32, to);
        }
        let at = to.len();
        wire::put_varint(value, to);
        *to.last_mut().unwrap() |= 0x80;
        to.extend(std::iter::repeat_n(0x80, self.below(3)));
        to.push(if self.one_in(6) { 0x80 } else { 0 });
        to.truncate(at + 11);
    }

    /// A field of wire type 2, as a rule.
    fn put(&mut self, number: u64, bytes: &[u8], to: &mut Vec<u8>) {
        if self.one_in(150) {
            let kind = self.of(&[0, 1, 3, 4, 5, 6]);
            self.varint(number << 3 | kind, to);
        } else {
            self.varint(number << 3 | 2, to);
        }
        self.varint(bytes.len() as u64, to);
        to.extend_from_slice(bytes);
    }

    /// What no receiver knows.
    fn unknown(&mut self, to: &mut Vec<u8>) {
        let odd: [&'static [u8]; 5] = [
            &[0x78, 7],
            &[0x7a, 2, 0x0a, 0],
            &[0x7d, 0, 0, 0, 0],
            &[0x7b, 0x7c],
            &[0x79, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        to.extend_from_slice(self.of(&odd[..]));
    }

    fn text(&mut self) -> Vec<u8> {
        if self.one_in(100) {
            return vec![b'x'; self.of(&[127, 128, 16_383, 16_384])];
        }
        let name = self.one_in(2);
        let (names, values): (&[&[u8]], &[&[u8]]) = (
            &[
                b"__name__",
                b"",
                b"job",
                b"user",
                b"userx",
                b"tenant_i",
                b"tenant_id",
                b"tenant_iz",
                b"team",
                b"longlonglonglong",
            ],
            &[
                b"tenant-a",
                b"tenant-b",
                b"",
                b"x",
                b"y",
                b"z",
                b"\xff\xfe",
                b"longlonglonglong",
            ],
        );
        self.of(if name { names } else { values }).to_vec()
    }

    /// A label, most often one that passes.
    fn label(&mut self) -> (Vec<u8>, Vec<u8>) {
        let usual: [(&[u8], &[u8]); 7] = [
            (b"__name__", b"up"),
            (b"job", b"x"),
            (b"tenant_id", b"tenant-a"),
            (b"tenant_id", b"tenant-a"),
            (b"team", b"x"),
            (b"zone", b"z"),
            (b"zone", b"longlonglonglong"),
        ];
        if self.one_in(5) {
            (self.text(), self.text())
        } else {
            let (name, value) = self.of(&usual);
            (name.to_vec(), value.to_vec())
        }
    }

    fn labels(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut list: Vec<_> = (0..self.below(6)).map(|_| self.label()).collect();
        if !self.one_in(4) {
            list.sort();
            list.dedup_by(|a, b| a.0 == b.0);
        }
        list
    }

    /// A message `Label`, its fields in any order and number.
    fn label_message(&mut self, (name, value): &(Vec<u8>, Vec<u8>)) -> Vec<u8> {
        let mut fields: Vec<(u64, Vec<u8>)> = vec![(1, name.clone()), (2, value.clone())];
        if self.one_in(15) {
            let number = 1 + self.below(2) as u64;
            fields.insert(self.below(3), (number, self.text()));
        }
        if self.one_in(30) {
            fields.remove(self.below(2));
        }
        if self.one_in(20) {
            fields.reverse();
        }
        let mut message = Vec::new();
        for (number, bytes) in fields {
            self.put(number, &bytes, &mut message);
            if self.one_in(80) {
                self.unknown(&mut message);
            }
        }
        message
    }

    /// Fields of a series besides its labels, by version.
    fn others(&mut self, (samples, histograms, exemplars): (u64, u64, u64), to: &mut Vec<u8>) {
        for _ in 0..self.below(3) {
            match self.below(8) {
                0 => self.put(histograms, &[], to),
                1 => {
                    let refs = self.label_message(&(b"tenant_id".to_vec(), b"tenant-b".to_vec()));
                    let mut exemplar = Vec::new();
                    self.put(1, &refs, &mut exemplar);
                    self.put(exemplars, &exemplar, to);
                }
                2 if self.one_in(6) => self.unknown(to),
                _ => self.put(samples, &[16, 1], to),
            }
        }
    }

    pub(super) fn v1(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        for _ in 0..self.below(4) {
            let mut series = Vec::new();
            for label in self.labels() {
                let message = self.label_message(&label);
                self.put(1, &message, &mut series);
                if self.one_in(12) {
                    self.others((2, 4, 3), &mut series);
                }
            }
            self.others((2, 4, 3), &mut series);
            self.put(1, &series, &mut body);
            if self.one_in(12) {
                self.put(3, &[0x12, 1, b'm'], &mut body);
            }
        }
        body
    }

    pub(super) fn v2(&mut self) -> Vec<u8> {
        let mut table: Vec<Vec<u8>> = vec![Vec::new()];
        if self.one_in(8) {
            table.extend((0..200).map(|i: u8| vec![b'f', i]));
        }
        let mut all = Vec::new();
        for _ in 0..self.below(4) {
            let mut refs = Vec::new();
            for (name, value) in self.labels() {
                for text in [name, value] {
                    let known = table.iter().position(|t| *t == text);
                    let at = known.filter(|_| !self.one_in(20)).unwrap_or_else(|| {
                        table.push(text);
                        table.len() - 1
                    });
                    refs.push(at as u64);
                }
            }
            if self.one_in(40) {
                let at = self.below(refs.len() + 1);
                refs.insert(at, self.below(table.len() + 2) as u64);
            }
            let mut series = Vec::new();
            let pieces = if self.one_in(6) { 1 + self.below(3) } else { 1 };
            let mut rest = refs.as_slice();
            for piece in 0..pieces {
                let end = if piece + 1 == pieces {
                    rest.len()
                } else {
                    self.below(rest.len() + 1)
                };
                let (now, later) = rest.split_at(end);
                rest = later;
                if self.one_in(10) {
                    for reference in now {
                        self.varint(8, &mut series);
                        self.varint(*reference, &mut series);
                    }
                } else {
                    let mut packed = Vec::new();
                    for reference in now {
                        self.varint(*reference, &mut packed);
                    }
                    self.put(1, &packed, &mut series);
                }
                if self.one_in(12) {
                    self.others((2, 3, 4), &mut series);
                }
            }
            self.others((2, 3, 4), &mut series);
            if self.one_in(5) {
                self.put(5, &[0x08, 1], &mut series);
            }
            all.push((5, series));
        }
        if self.one_in(15) {
            table.swap_remove(self.below(table.len()));
        }
        let mut symbols: Vec<(u64, Vec<u8>)> = table.into_iter().map(|t| (4, t)).collect();
        match self.below(8) {
            0 => all.append(&mut symbols),
            // Between each other.
            1 => {
                let mut at = 0;
                for series in std::mem::replace(&mut all, symbols) {
                    at += self.below(all.len() + 1 - at);
                    all.insert(at, series);
                }
            }
            _ => {
                symbols.append(&mut all);
                all = symbols;
            }
        }
        let mut body = Vec::new();
        for (number, bytes) in all {
            if self.one_in(100) {
                self.unknown(&mut body);
            }
            self.put(number, &bytes, &mut body);
        }
        body
    }

    /// Breaks a byte here and there.
    pub(super) fn hurt(&mut self, body: &mut Vec<u8>) {
        while self.one_in(5) && !body.is_empty() {
            let at = self.below(body.len());
            let byte = self.of(&[
                0, 1, 2, 3, 8, 0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x7f, 0x80, 0xff,
            ]);
            match self.below(4) {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => drop(body.remove(at)),
                _ => body.truncate(at),
            }
        }
    }
}
