//! Reads as the code does that gogo/protobuf generates. `None`: it refuses.

pub(super) type Labels<'a> = Vec<(&'a [u8], &'a [u8])>;

struct Field<'a> {
    number: u64,
    kind: u64,
    number_value: u64,
    bytes: &'a [u8],
}

fn varint(src: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0u32);
    loop {
        if shift >= 64 {
            return None;
        }
        let b = *src.get(*at)?;
        *at += 1;
        value |= u64::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

fn piece<'a>(src: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let len = usize::try_from(varint(src, at)?).ok()?;
    let bytes = src.get(*at..at.checked_add(len)?)?;
    *at += len;
    Some(bytes)
}

/// The fields of a message. Of those in `known`, the type must be 2, or one of its own.
fn fields<'a>(src: &'a [u8], known: &[u64], refs: bool) -> Option<Vec<Field<'a>>> {
    let (mut at, mut all) = (0, Vec::new());
    while at < src.len() {
        let key = varint(src, &mut at)?;
        let (number, kind) = (key >> 3 & 0xffff_ffff, key & 7);
        if kind == 4 || number == 0 || number > 0x7fff_ffff {
            return None;
        }
        if known.contains(&number) && kind != 2 && !(refs && number == 1 && kind == 0) {
            return None;
        }
        let mut field = Field {
            number,
            kind,
            number_value: 0,
            bytes: &[],
        };
        match kind {
            0 => field.number_value = varint(src, &mut at)?,
            2 if refs && number == 1 => {
                // A number may run over the end of its field.
                let start = at;
                let len = usize::try_from(varint(src, &mut at)?).ok()?;
                let end = at.checked_add(len).filter(|e| *e <= src.len())?;
                while at < end {
                    varint(src, &mut at)?;
                }
                field.bytes = &src[start..at];
            }
            2 => field.bytes = piece(src, &mut at)?,
            1 => at += 8,
            5 => at += 4,
            3 => {
                let mut depth = 1;
                while depth > 0 {
                    match varint(src, &mut at)? & 7 {
                        0 => drop(varint(src, &mut at)?),
                        1 => at += 8,
                        2 => drop(piece(src, &mut at)?),
                        3 => depth += 1,
                        4 => depth -= 1,
                        5 => at += 4,
                        _ => return None,
                    }
                }
            }
            _ => return None,
        }
        if at > src.len() {
            return None;
        }
        all.push(field);
    }
    Some(all)
}

pub(super) fn v1(src: &[u8]) -> Option<Vec<Labels<'_>>> {
    let mut all = Vec::new();
    for series in fields(src, &[1, 3], false)? {
        if series.number != 1 {
            continue;
        }
        let mut labels = Vec::new();
        for label in fields(series.bytes, &[1, 2, 3, 4], false)? {
            if label.number != 1 {
                continue;
            }
            let mut pair: (&[u8], &[u8]) = (&[], &[]);
            for text in fields(label.bytes, &[1, 2], false)? {
                match text.number {
                    1 => pair.0 = text.bytes,
                    2 => pair.1 = text.bytes,
                    _ => {}
                }
            }
            labels.push(pair);
        }
        all.push(labels);
    }
    Some(all)
}

pub(super) fn v2(src: &[u8]) -> Option<Vec<Labels<'_>>> {
    let top = fields(src, &[4, 5], false)?;
    let table: Vec<&[u8]> = top
        .iter()
        .filter(|f| f.number == 4)
        .map(|f| f.bytes)
        .collect();
    let mut all = Vec::new();
    for series in top.iter().filter(|f| f.number == 5) {
        let mut refs = Vec::new();
        for field in fields(series.bytes, &[1, 2, 3, 4, 5], true)? {
            match (field.number, field.kind) {
                (1, 0) => refs.push(field.number_value),
                (1, _) => {
                    let mut at = 0;
                    varint(field.bytes, &mut at)?;
                    while at < field.bytes.len() {
                        refs.push(varint(field.bytes, &mut at)?);
                    }
                }
                _ => {}
            }
        }
        if refs.len() % 2 != 0 {
            return None;
        }
        let text = |r: &u64| {
            table
                .get(usize::try_from(*r & 0xffff_ffff).unwrap())
                .copied()
        };
        let mut labels = Vec::new();
        for pair in refs.chunks(2) {
            labels.push((text(&pair[0])?, text(&pair[1])?));
        }
        all.push(labels);
    }
    Some(all)
}
