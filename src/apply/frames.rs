//! The answers of a machine, taken out of whatever else a connection brings. Pure.

/// Something that `job.sh` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// It has begun, on this machine and boot.
    Hello { boot: String, machine: String },
    /// The command printed something.
    Out(Vec<u8>),
    /// What follows is the end of an output of which a part is missing.
    Cut,
    /// It goes on.
    Beat,
    /// It ended with this status.
    End(i32),
    /// It has gone without a status.
    Gone,
    /// The machine is in another boot.
    Rebooted,
    /// There is no folder that commands can be kept in.
    Nowhere,
    /// There is no room for the command.
    Full,
}

/// Takes bytes as they come and gives out frames. What is before the first answer is a banner and left out.
#[derive(Debug)]
pub(super) struct Frames {
    mark: Vec<u8>,
    waiting: Vec<u8>,
    /// How many bytes of output are still to come.
    owed: usize,
}

/// The longest line that is no answer, in bytes: a banner without a line break is not kept.
const LONGEST: usize = 64 << 10;

impl Frames {
    pub(super) fn new(nonce: &str) -> Self {
        Self { mark: format!("@{nonce} ").into_bytes(), waiting: Vec::new(), owed: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.waiting.extend_from_slice(bytes);
        let mut frames = Vec::new();
        loop {
            if self.owed > 0 {
                let take = self.owed.min(self.waiting.len());
                if take == 0 {
                    return frames;
                }
                let rest = self.waiting.split_off(take);
                frames.push(Frame::Out(std::mem::replace(&mut self.waiting, rest)));
                self.owed -= take;
                continue;
            }
            let Some(end) = memchr::memchr(b'\n', &self.waiting) else {
                if self.waiting.len() > LONGEST {
                    self.waiting.clear();
                }
                return frames;
            };
            let rest = self.waiting.split_off(end + 1);
            let line = std::mem::replace(&mut self.waiting, rest);
            let Some(said) = line.strip_prefix(self.mark.as_slice()) else { continue };
            let said = String::from_utf8_lossy(said);
            let mut words = said.split_whitespace();
            let frame = match (words.next(), words.next()) {
                (Some("hello"), _) => {
                    let value = |name: &str| {
                        said.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap_or_default().to_owned()
                    };
                    Frame::Hello { boot: value("boot="), machine: value("machine=") }
                }
                (Some("out"), Some(count)) => {
                    self.owed = count.parse().unwrap_or(0);
                    continue;
                }
                (Some("end"), Some(status)) => Frame::End(status.parse().unwrap_or(-1)),
                (Some("cut"), _) => Frame::Cut,
                (Some("beat"), _) => Frame::Beat,
                (Some("gone"), _) => Frame::Gone,
                (Some("full"), _) => Frame::Full,
                (Some("rebooted"), _) => Frame::Rebooted,
                (Some("nowhere"), _) => Frame::Nowhere,
                _ => continue,
            };
            frames.push(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn answers_come_through_banners_and_pieces_of_any_size(size in 1_usize..30, noise in "[a-z@ \n]{0,60}") {
            let said = format!(
                "{noise}\n@other end 0\n@n1 hello boot=b machine=m\n@n1 out 13\n@n1 end 9\nab\n@n1 beat\n@n1 end 3\n"
            );
            let mut frames = Frames::new("n1");
            let mut all = Vec::new();
            for piece in said.as_bytes().chunks(size) {
                all.extend(frames.push(piece));
            }
            let out: Vec<u8> = all.iter().filter_map(|frame| match frame {
                Frame::Out(bytes) => Some(bytes.clone()),
                _ => None,
            }).flatten().collect();
            prop_assert_eq!(String::from_utf8(out).unwrap(), "@n1 end 9\nab\n");
            prop_assert_eq!(&all[0], &Frame::Hello { boot: "b".into(), machine: "m".into() });
            prop_assert_eq!(all.last().unwrap(), &Frame::End(3));
            prop_assert!(all.contains(&Frame::Beat));
        }
    }
}
