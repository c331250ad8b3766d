//! The thread that writes a trace down.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::format::{self, BlockHeader, Kind};
use super::recorder::{Buffer, Core, Packet, Written};

/// What has lain in a buffer for so long is fetched, so that little is lost if the process dies.
const FETCH_EVERY: Duration = Duration::from_secs(1);
/// zstd's level. Hashes hardly pack; the rest does at any level.
const LEVEL: i32 = 1;

/// The writing thread's side.
pub(super) struct Writer<W> {
    out: W,
    packer: Option<zstd::bulk::Compressor<'static>>,
    blocks: u32,
    written: Written,
    /// The first error; nothing is written after it.
    error: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        let packer = zstd::bulk::Compressor::new(LEVEL).ok();
        let written = Written { records: 0, lost: 0, bytes: format::HEADER_LEN as u64 };
        Self { out, packer, blocks: 0, written, error: None }
    }

    pub(super) fn run(mut self, packets: &Receiver<Packet>, core: &Core) -> io::Result<Written> {
        loop {
            match packets.recv_timeout(FETCH_EVERY) {
                Ok(Packet::Records(buffer)) => self.records(&buffer, core),
                Ok(Packet::End { at_ns }) => return self.end(at_ns, core),
                // The core, which is lent, holds a sender.
                Err(RecvTimeoutError::Disconnected) => return self.end(core.now_ns(), core),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(at_ns) = self.fetch(packets, core) {
                        return self.end(at_ns, core);
                    }
                }
            }
        }
    }

    /// Takes what lies in the buffers. Returns when the trace ended, if it did meanwhile.
    fn fetch(&mut self, packets: &Receiver<Packet>, core: &Core) -> Option<u64> {
        for buffer in &core.buffers {
            // A thread that holds its buffer is busy, and may be waiting for this one.
            let Ok(mut buffer) = buffer.try_lock() else { continue };
            // While it is held, its thread hands nothing over: what it did before comes first.
            while let Ok(packet) = packets.try_recv() {
                match packet {
                    Packet::Records(earlier) => self.records(&earlier, core),
                    Packet::End { at_ns } => return Some(at_ns),
                }
            }
            if buffer.records > 0 {
                let records = buffer.take();
                drop(buffer);
                self.records(&records, core);
            }
        }
        let flushed = self.out.flush();
        self.keep(flushed);
        None
    }

    fn records(&mut self, buffer: &Buffer, core: &Core) {
        let written = self.block(Kind::Records, buffer, core);
        if self.keep(written) {
            self.written.records += u64::from(buffer.records);
        } else {
            core.lose(buffer.records);
        }
    }

    fn block(&mut self, kind: Kind, buffer: &Buffer, core: &Core) -> io::Result<()> {
        if let Some(error) = &self.error {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        let packer = self.packer.as_mut().ok_or_else(|| io::Error::other("zstd cannot be used"))?;
        let payload =
            if buffer.bytes.is_empty() { Vec::new() } else { packer.compress(&buffer.bytes)? };
        let narrow = |len: usize| u32::try_from(len).map_err(io::Error::other);
        let header = BlockHeader {
            kind,
            number: self.blocks,
            thread: buffer.thread,
            records: buffer.records,
            unpacked: narrow(buffer.bytes.len())?,
            packed: narrow(payload.len())?,
            from_ns: buffer.from_ns,
            lost: core.lost(),
            crc: 0,
        };
        self.out.write_all(&header.seal(&payload))?;
        self.out.write_all(&payload)?;
        self.blocks += 1;
        self.written.bytes += (format::BLOCK_HEADER_LEN + payload.len()) as u64;
        Ok(())
    }

    /// Keeps the first error; says whether there was none now.
    fn keep(&mut self, outcome: io::Result<()>) -> bool {
        match outcome {
            Ok(()) => true,
            Err(error) => {
                self.error.get_or_insert(error);
                false
            }
        }
    }

    fn end(mut self, at_ns: u64, core: &Core) -> io::Result<Written> {
        let ended =
            self.block(Kind::End, &Buffer::nothing(at_ns), core).and_then(|()| self.out.flush());
        self.keep(ended);
        match self.error {
            Some(error) => Err(error),
            None => Ok(Written { lost: core.lost(), ..self.written }),
        }
    }
}
