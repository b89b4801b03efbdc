//! As much of ELF as the link gate reads: section sizes and symbol names, little-endian, 32 and 64 bit.

use crate::workspace::Result;

const SHT_SYMTAB: u64 = 2;
const SHT_NOBITS: u64 = 8;
const SHF_WRITE: u64 = 1;
const SHF_ALLOC: u64 = 2;

pub(crate) struct Elf<'a> {
    bytes: &'a [u8],
    wide: bool,
    sections: Vec<Section>,
}

struct Section {
    kind: u64,
    flags: u64,
    offset: u64,
    size: u64,
    link: u64,
}

impl<'a> Elf<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let wide = match bytes.get(..6) {
            Some([0x7f, b'E', b'L', b'F', 1, 1]) => false,
            Some([0x7f, b'E', b'L', b'F', 2, 1]) => true,
            _ => return Err("not a little-endian ELF file".into()),
        };
        let mut elf = Self { bytes, wide, sections: Vec::new() };
        let (table, entry_size, count) =
            if wide { (elf.word(0x28)?, 0x3a, 0x3c) } else { (elf.word(0x20)?, 0x2e, 0x30) };
        let (entry_size, count) = (elf.number(entry_size, 2)?, elf.number(count, 2)?);
        for index in 0..count {
            let section = elf.section(table.saturating_add(index.saturating_mul(entry_size)))?;
            elf.sections.push(section);
        }
        Ok(elf)
    }

    /// Bytes that the image keeps in flash and never writes: code, constants, unwind tables.
    pub(crate) fn text_size(&self) -> u64 {
        let read_only = |section: &&Section| {
            section.flags & (SHF_ALLOC | SHF_WRITE) == SHF_ALLOC && section.kind != SHT_NOBITS
        };
        self.sections.iter().filter(read_only).map(|section| section.size).sum()
    }

    /// Names of all symbols that the image defines.
    pub(crate) fn defined_symbols(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let (entry_size, section_index) = if self.wide { (24, 6) } else { (16, 14) };
        for table in self.sections.iter().filter(|section| section.kind == SHT_SYMTAB) {
            let strings = usize::try_from(table.link).ok().and_then(|index| self.sections.get(index));
            let strings = strings.ok_or("a symbol table without names")?;
            for offset in (table.offset..table.offset.saturating_add(table.size)).step_by(entry_size) {
                let defined = self.number(offset.saturating_add(section_index), 2)? != 0;
                let name = self.string(strings.offset.saturating_add(self.number(offset, 4)?))?;
                if defined && !name.is_empty() {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    fn section(&self, at: u64) -> Result<Section> {
        let [flags, offset, size, link] = if self.wide { [8, 24, 32, 40] } else { [8, 16, 20, 24] };
        let at = |field: u64| at.saturating_add(field);
        Ok(Section {
            kind: self.number(at(4), 4)?,
            flags: self.word(at(flags))?,
            offset: self.word(at(offset))?,
            size: self.word(at(size))?,
            link: self.number(at(link), 4)?,
        })
    }

    /// A number as wide as the file's addresses.
    fn word(&self, at: u64) -> Result<u64> {
        self.number(at, if self.wide { 8 } else { 4 })
    }

    fn number(&self, at: u64, length: usize) -> Result<u64> {
        let bytes = self.from(at)?.get(..length).ok_or("the ELF file ends early")?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn string(&self, at: u64) -> Result<String> {
        let name = self.from(at)?.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    fn from(&self, at: u64) -> Result<&'a [u8]> {
        Ok(self.bytes.get(usize::try_from(at)?..).ok_or("the ELF file ends early")?)
    }
}

#[cfg(test)]
mod tests {
    use super::Elf;

    #[test]
    fn anything_else_is_refused() {
        for bytes in [&b""[..], b"\x7fELF", b"\x7fELF\x02\x01", b"#!/bin/sh\n"] {
            assert!(Elf::parse(bytes).is_err());
        }
    }

    #[cfg(all(target_os = "linux", target_endian = "little"))]
    #[test]
    fn this_program_has_text_and_symbols() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::parse(&bytes).unwrap();
        assert!(elf.text_size() > 10_000);
        assert!(elf.defined_symbols().unwrap().iter().any(|name| name == "main"));
    }
}
