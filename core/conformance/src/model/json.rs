//! A strict RFC 8259 reader that keeps what a lenient one loses: duplicates, raw numbers, lone surrogates, the first
//! fault in byte order.

/// One value. A string is `None` when it holds a lone surrogate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    String(Option<Vec<u8>>),
    Array(Vec<Json>),
    Object(Vec<(Option<Vec<u8>>, Json)>),
}

impl Json {
    /// Every value given to the member `name` of this object, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&Json> {
        match self {
            Json::Object(members) => members
                .iter()
                .filter(|(n, _)| n.as_deref() == Some(name.as_bytes()))
                .map(|(_, v)| v)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The member `name`; `null` is absent.
    pub(crate) fn member(&self, name: &str) -> Option<&Json> {
        self.all(name).into_iter().next().filter(|v| **v != Json::Null)
    }
}

/// At most this many containers are open at once, the top object included.
const DEPTH: usize = 32;

/// Reads a whole body: one object, and nothing after it.
pub(crate) fn read(body: &[u8]) -> Result<Json, &'static str> {
    if body.starts_with(&[0x1F, 0x8B]) {
        return Err("encoded_body");
    }
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let mut reader = Reader { bytes: body, at: 0, open: 0 };
    reader.space();
    match reader.peek() {
        None => return Err("truncated"),
        Some(b'{') => {}
        Some(_) => return Err("not_json"),
    }
    let value = reader.value()?;
    reader.space();
    if reader.peek().is_some() {
        return Err("malformed");
    }
    Ok(value)
}

/// Reads any one JSON value, for documents inside a token.
pub(crate) fn read_any(text: &[u8]) -> Option<Json> {
    let mut reader = Reader { bytes: text, at: 0, open: 0 };
    reader.space();
    let value = reader.value().ok()?;
    reader.space();
    if reader.peek().is_some() { None } else { Some(value) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    open: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, &'static str> {
        let byte = self.peek().ok_or("truncated")?;
        self.at += 1;
        Ok(byte)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Json, &'static str> {
        self.space();
        match self.peek().ok_or("truncated")? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(Json::String),
            b't' => self.word(b"true").map(|()| Json::Bool(true)),
            b'f' => self.word(b"false").map(|()| Json::Bool(false)),
            b'n' => self.word(b"null").map(|()| Json::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err("malformed"),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), &'static str> {
        for expected in word {
            if self.next()? != *expected {
                return Err("malformed");
            }
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<(), &'static str> {
        if self.open == DEPTH {
            return Err("too_deep");
        }
        self.open += 1;
        self.at += 1;
        Ok(())
    }

    fn object(&mut self) -> Result<Json, &'static str> {
        self.enter()?;
        let mut members = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                self.space();
                if self.peek().ok_or("truncated")? != b'"' {
                    return Err("malformed");
                }
                let name = self.string()?;
                self.space();
                if self.next()? != b':' {
                    return Err("malformed");
                }
                let value = self.value()?;
                members.push((name, value));
                self.space();
                match self.next()? {
                    b',' => {}
                    b'}' => break,
                    _ => return Err("malformed"),
                }
            }
        }
        self.open -= 1;
        Ok(Json::Object(members))
    }

    fn array(&mut self) -> Result<Json, &'static str> {
        self.enter()?;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                items.push(self.value()?);
                self.space();
                match self.next()? {
                    b',' => {}
                    b']' => break,
                    _ => return Err("malformed"),
                }
            }
        }
        self.open -= 1;
        Ok(Json::Array(items))
    }

    fn digits(&mut self) -> Result<(), &'static str> {
        if !self.next()?.is_ascii_digit() {
            return Err("malformed");
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Json, &'static str> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Json::Number(String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()))
    }

    fn hex4(&mut self) -> Result<u32, &'static str> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.next()?).to_digit(16).ok_or("malformed")?;
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }

    fn string(&mut self) -> Result<Option<Vec<u8>>, &'static str> {
        self.at += 1;
        let mut text = Vec::new();
        let mut lone = false;
        // A high surrogate that waits for its low half in the very next escape.
        let mut high: Option<u32> = None;
        loop {
            let byte = self.next()?;
            if byte == b'\\' {
                let escape = self.next()?;
                let plain = match escape {
                    b'"' | b'\\' | b'/' => escape,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => 10,
                    b'r' => 13,
                    b't' => 9,
                    b'u' => {
                        let unit = self.hex4()?;
                        match (high.take(), unit) {
                            (Some(h), 0xDC00..=0xDFFF) => {
                                push(&mut text, 0x10000 + ((h - 0xD800) << 10) + (unit - 0xDC00));
                            }
                            (before, _) => {
                                lone |= before.is_some();
                                match unit {
                                    0xD800..=0xDBFF => high = Some(unit),
                                    0xDC00..=0xDFFF => lone = true,
                                    _ => push(&mut text, unit),
                                }
                            }
                        }
                        continue;
                    }
                    _ => return Err("malformed"),
                };
                lone |= high.take().is_some();
                text.push(plain);
                continue;
            }
            lone |= high.take().is_some();
            match byte {
                b'"' => return Ok(if lone { None } else { Some(text) }),
                0..=0x1F => return Err("malformed"),
                0x20..=0x7F => text.push(byte),
                _ => {
                    text.push(byte);
                    // The well-formed sequences of the Unicode standard, table 3-7.
                    let (more, low, high) = match byte {
                        0xC2..=0xDF => (1, 0x80, 0xBF),
                        0xE0 => (2, 0xA0, 0xBF),
                        0xED => (2, 0x80, 0x9F),
                        0xE1..=0xEF => (2, 0x80, 0xBF),
                        0xF0 => (3, 0x90, 0xBF),
                        0xF1..=0xF3 => (3, 0x80, 0xBF),
                        0xF4 => (3, 0x80, 0x8F),
                        _ => return Err("malformed"),
                    };
                    for place in 0..more {
                        let follow = self.next()?;
                        let (low, high) = if place == 0 { (low, high) } else { (0x80, 0xBF) };
                        if !(low..=high).contains(&follow) {
                            return Err("malformed");
                        }
                        text.push(follow);
                    }
                }
            }
        }
    }
}

fn push(text: &mut Vec<u8>, scalar: u32) {
    if let Some(c) = char::from_u32(scalar) {
        text.extend_from_slice(c.to_string().as_bytes());
    }
}

/// The whole part of a JSON number, saturating; `None` for one with a minus sign.
pub(crate) fn floor_u64(raw: &str) -> Option<u64> {
    if raw.starts_with('-') {
        return None;
    }
    let (mantissa, exponent) = match raw.find(['e', 'E']) {
        Some(at) => (&raw[..at], &raw[at + 1..]),
        None => (raw, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.as_str();
    if digits.bytes().all(|b| b == b'0') {
        return Some(0);
    }
    let negative = exponent.starts_with('-');
    let size = exponent.trim_start_matches(['+', '-']).trim_start_matches('0');
    // An exponent of more than nine digits dwarfs any mantissa that fits in memory.
    let size: i64 = if size.len() > 9 { 1_000_000_000_000 } else { format!("0{size}").parse().unwrap_or(0) };
    let point = whole.len() as i64 + if negative { -size } else { size };
    let mut value: u128 = 0;
    let limit = u128::from(u64::MAX);
    let mut place = 0_i64;
    while place < point {
        let digit = match usize::try_from(place).ok().and_then(|p| digits.as_bytes().get(p)) {
            Some(b) => u128::from(b - b'0'),
            None if value == 0 => break,
            None => 0,
        };
        value = value * 10 + digit;
        if value > limit {
            return Some(u64::MAX);
        }
        place += 1;
    }
    u64::try_from(value).ok()
}
