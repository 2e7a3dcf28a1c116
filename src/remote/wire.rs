//! Walks protobuf messages without building objects, as strictly as every decoder behind us reads.
//!
//! Go's decoders silently cut keys to 32 bits, values to their field's width and the tenth byte of
//! a varint to one bit. What they would cut is refused here, so that both sides read the same.

pub(super) mod short;

/// Why bytes are no protobuf message that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// A varint has more than ten bytes, or more than 64 bits.
    Varint,
    /// The message ends inside a field.
    Truncated,
    /// A field number is 0 or above 2^29-1.
    FieldNumber,
    /// A group, or a wire type that does not exist.
    WireType,
    /// A known field has another type than its definition.
    FieldType,
}

impl Malformed {
    /// What is wrong, as text.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Varint => "a number has too many bytes",
            Self::Truncated => "it ends inside a field",
            Self::FieldNumber => "a field number is out of range",
            Self::WireType => "it has a group or an unknown wire type",
            Self::FieldType => "a field has the wrong wire type",
        }
    }
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// Its number, 1 to 2^29-1.
    pub(super) number: u32,
    /// Its value.
    pub(super) value: Value<'a>,
    /// Where its key begins in the message.
    pub(super) start: usize,
    /// Where its value, or the length in front of it, begins.
    pub(super) at: usize,
    /// Where the next field begins.
    pub(super) end: usize,
}

/// The value of a field by its wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1: eight bytes.
    Fixed64,
    /// Wire type 2: a string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5: four bytes.
    Fixed32,
}

impl<'a> Field<'a> {
    /// The value of a field that must be of wire type 2.
    pub(super) fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Varint(_) | Value::Fixed64 | Value::Fixed32 => Err(Malformed::FieldType),
        }
    }

    /// The fields of the message that this field holds; positions stay those of `src`, the bytes
    /// that this field was read from.
    pub(super) fn nested(&self, src: &'a [u8]) -> Result<Fields<'a>, Malformed> {
        let len = self.bytes()?.len();
        Ok(Fields {
            src: src.get(..self.end).ok_or(Malformed::Truncated)?,
            pos: self.end - len,
        })
    }
}

/// The fields of a message, in order. Stops for good at the first error.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    src: &'a [u8],
    pos: usize,
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self::from(message, 0)
    }

    /// The fields of `message` from a position on, where one begins.
    pub(super) fn from(message: &'a [u8], pos: usize) -> Self {
        Self { src: message, pos }
    }

    #[inline]
    fn step(&mut self) -> Result<Field<'a>, Malformed> {
        let start = self.pos;
        let (key, pos) = varint(self.src, start)?;
        let key = u32::try_from(key).map_err(|_| Malformed::FieldNumber)?;
        let number = key >> 3;
        if number == 0 {
            return Err(Malformed::FieldNumber);
        }
        let at = pos;
        let (value, end) = match key & 7 {
            0 => {
                let (value, end) = varint(self.src, at)?;
                (Value::Varint(value), end)
            }
            1 => (Value::Fixed64, self.ahead(at, 8)?),
            2 => {
                let (len, pos) = varint(self.src, at)?;
                let len = usize::try_from(len).map_err(|_| Malformed::Truncated)?;
                let end = self.ahead(pos, len)?;
                let bytes = self.src.get(pos..end).ok_or(Malformed::Truncated)?;
                (Value::Bytes(bytes), end)
            }
            5 => (Value::Fixed32, self.ahead(at, 4)?),
            _ => return Err(Malformed::WireType),
        };
        self.pos = end;
        Ok(Field {
            number,
            value,
            start,
            at,
            end,
        })
    }

    #[inline]
    fn ahead(&self, pos: usize, len: usize) -> Result<usize, Malformed> {
        pos.checked_add(len)
            .filter(|end| *end <= self.src.len())
            .ok_or(Malformed::Truncated)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.src.get(self.pos..)?;
        if let Some((key @ 8..0x80, bytes)) = short::take(&mut rest)
            && key & 7 == 2
        {
            let field = Field {
                number: u32::from(key >> 3),
                value: Value::Bytes(bytes),
                start: self.pos,
                at: self.pos + 1,
                end: self.src.len() - rest.len(),
            };
            self.pos = field.end;
            return Some(Ok(field));
        }
        self.next_long()
    }
}

impl<'a> Fields<'a> {
    fn next_long(&mut self) -> Option<Result<Field<'a>, Malformed>> {
        if self.pos >= self.src.len() {
            return None;
        }
        let field = self.step();
        if field.is_err() {
            self.pos = self.src.len();
        }
        Some(field)
    }
}

/// Reads a varint at `pos`; the position behind it.
#[inline]
pub(super) fn varint(src: &[u8], pos: usize) -> Result<(u64, usize), Malformed> {
    match src.get(pos) {
        Some(b) if *b < 0x80 => Ok((u64::from(*b), pos + 1)),
        Some(_) => long_varint(src, pos),
        None => Err(Malformed::Truncated),
    }
}

fn long_varint(src: &[u8], mut pos: usize) -> Result<(u64, usize), Malformed> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let b = *src.get(pos).ok_or(Malformed::Truncated)?;
        pos += 1;
        if shift == 63 && b > 1 {
            return Err(Malformed::Varint);
        }
        value |= u64::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Ok((value, pos));
        }
    }
    Err(Malformed::Varint)
}

/// The bytes behind the length at `pos`, of a field that has been walked before.
pub(super) fn prefixed(src: &[u8], pos: usize) -> Option<&[u8]> {
    let (len, pos) = varint(src, pos).ok()?;
    src.get(pos..pos.checked_add(usize::try_from(len).ok()?)?)
}

/// The name and the value of a `Label`, fields 1 and 2: of a field that stands twice, the last
/// holds.
pub(super) fn label(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    if let Some(pair) = short::label(message) {
        return Ok(pair);
    }
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of(message) {
        let field = field?;
        match field.number {
            1 => name = field.bytes()?,
            2 => value = field.bytes()?,
            _ => {}
        }
    }
    Ok((name, value))
}

/// Reads the numbers of a packed field. Each must fit 32 bits.
pub(super) fn packed_u32<E: From<Malformed>>(
    packed: &[u8],
    mut each: impl FnMut(u32) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = packed;
    while !rest.is_empty() {
        let value = match short::number(&mut rest) {
            Some(value) => value,
            None => {
                let (value, next) = varint(rest, 0)?;
                rest = rest.get(next..).unwrap_or_default();
                u32::try_from(value).map_err(|_| Malformed::Varint)?
            }
        };
        each(value)?;
    }
    Ok(())
}

/// Writes a varint.
#[inline]
pub(super) fn put_varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "the low seven bits")]
        to.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    to.push(value as u8);
}

/// Writes a field of wire type 2.
pub(super) fn put_bytes(number: u32, bytes: &[u8], to: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 2, to);
    put_varint(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests;
