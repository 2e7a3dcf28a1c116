//! CRC-32.

/// The checksum of gzip: CRC-32 with the reflected polynomial 0xEDB88320, eight bytes at a time.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    const TABLES: [[u32; 256]; 8] = tables();
    let look = |table: &[u32; 256], b: u32| table.get((b & 0xff) as usize).copied().unwrap_or(0);
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut crc = !0u32;
    for [a, b, c, d, e, f, g, h] in words {
        let low = crc ^ u32::from_le_bytes([*a, *b, *c, *d]);
        let high = u32::from_le_bytes([*e, *f, *g, *h]);
        crc = look(t7, low)
            ^ look(t6, low >> 8)
            ^ look(t5, low >> 16)
            ^ look(t4, low >> 24)
            ^ look(t3, high)
            ^ look(t2, high >> 8)
            ^ look(t1, high >> 16)
            ^ look(t0, high >> 24);
    }
    for b in rest {
        crc = look(t0, crc ^ u32::from(*b)) ^ crc >> 8;
    }
    !crc
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when compiled: out of bounds is an error then"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][i] = crc;
        i += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut i = 0;
        while i < 256 {
            let before = tables[table - 1][i];
            tables[table][i] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            i += 1;
        }
        table += 1;
    }
    tables
}
