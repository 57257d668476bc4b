//! Reading a packed table in place: numbers and strings at offsets, never a panic, never a copy.
//!
//! A table is a header (magic, number of sections, kind), a directory of sections (start, length) and the sections. All
//! numbers are little-endian. A string is a `u32`
//! offset into section 0, where its length stands as `u16` before its bytes. What lies outside the table reads as
//! nothing, so a damaged table gives fewer facts and never a wrong place in memory.

/// The first bytes of every packed table; the digit is the version of the layout.
pub(super) const MAGIC: &[u8; 4] = b"HWf2";

/// A `u32` that stands for "nothing".
pub(super) const NONE: u32 = u32::MAX;

/// A packed table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed<'a> {
    bytes: &'a [u8],
}

/// One section of a table: an array of fixed records or a heap of bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Section<'a> {
    bytes: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Wraps a table; bytes that are no table behave as one without sections.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: if bytes.starts_with(MAGIC) { bytes } else { &[] } }
    }

    /// Returns a section by number; an empty one when the table has no such section.
    pub(super) fn section(self, number: usize) -> Section<'a> {
        let all = Section { bytes: self.bytes };
        let found = || {
            let entry = 8 + number.checked_mul(8)?;
            let count = usize::from(all.u16(4)?);
            if number >= count {
                return None;
            }
            let start = all.u32(entry)? as usize;
            let len = all.u32(entry + 4)? as usize;
            self.bytes.get(start..start.checked_add(len)?)
        };
        Section { bytes: found().unwrap_or_default() }
    }

    /// Returns the kind of table, as its writer numbered it.
    pub(super) fn kind(self) -> Option<u16> {
        Section { bytes: self.bytes }.u16(6)
    }

    /// Returns the string at an offset of the string section.
    pub(super) fn text(self, at: u32) -> Option<&'a str> {
        self.section(0).text(at)
    }
}

impl<'a> Section<'a> {
    /// Returns the length in bytes.
    pub(super) fn len(self) -> usize {
        self.bytes.len()
    }

    /// Returns the string whose length and bytes stand at an offset.
    pub(super) fn text(self, at: u32) -> Option<&'a str> {
        let at = at as usize;
        let len = usize::from(u16::from_le_bytes(self.array(at)?));
        let start = at.checked_add(2)?;
        std::str::from_utf8(self.bytes.get(start..start.checked_add(len)?)?).ok()
    }

    /// Returns the bytes of a string, for comparisons that need no text.
    pub(super) fn text_bytes(self, at: u32) -> Option<&'a [u8]> {
        let at = at as usize;
        let len = usize::from(u16::from_le_bytes(self.array(at)?));
        let start = at.checked_add(2)?;
        self.bytes.get(start..start.checked_add(len)?)
    }

    /// Returns the byte at an offset.
    pub(super) fn u8(self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Returns the `u16` at an offset.
    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// Returns the `u32` at an offset.
    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// Returns the `i64` at an offset.
    pub(super) fn i64(self, at: usize) -> Option<i64> {
        self.array(at).map(i64::from_le_bytes)
    }

    /// Returns the `f64` at an offset.
    pub(super) fn f64(self, at: usize) -> Option<f64> {
        self.array(at).map(f64::from_le_bytes)
    }

    /// Returns the `u128` at an offset.
    pub(super) fn u128(self, at: usize) -> Option<u128> {
        self.array(at).map(u128::from_le_bytes)
    }

    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_table_has_no_facts_and_does_not_panic() {
        for bytes in
            [&b""[..], b"HWf2", b"HWf2\xff\xff\xff\xff", b"HWf2\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", b"x"]
        {
            let table = Packed::new(bytes);
            assert_eq!(table.section(0).len(), 0);
            assert_eq!(table.section(usize::MAX).len(), 0);
            assert_eq!(table.text(0), None);
            assert_eq!(table.text(NONE), None);
        }
    }
}
