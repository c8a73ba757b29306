//! A master far away, as the child sees it: a socket on standard input, where it asks for bytes and gets them.
//!
//! Neither a network nor credentials reach the child (R4): it says which bytes it wants, and the worker fetches them. The
//! worker begins with the size of the master. Then the child sends offset and length, and the worker as many bytes as it
//! was asked for behind a byte that says [`HERE`]; or [`NOT_HERE`], when it cannot, and then nothing any more. All
//! numbers are little-endian.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of one answer: few enough to be held beside all else, and so many that a question costs nothing.
pub(crate) const MOST: u32 = 1024 * 1024;

/// Bytes of a question: an offset of 8 and a length of 4.
pub(crate) const QUESTION: usize = 12;

/// The bytes follow.
pub(crate) const HERE: u8 = 1;

/// The worker cannot read the master, and will say why to whoever asked it.
pub(crate) const NOT_HERE: u8 = 0;

/// Where the bytes of a master come from.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// A file.
    File(File),
    /// A worker at the other end of a socket, asked one question at a time.
    Socket(Mutex<File>),
    /// One of several files that come as one, from there on.
    Part(Arc<Bytes>, u64),
}

impl Bytes {
    /// Of an open file or socket, with how many there are.
    pub(crate) fn of(descriptor: OwnedFd) -> io::Result<(Self, u64)> {
        let mut file = File::from(descriptor);
        let metadata = file.metadata()?;
        if !metadata.file_type().is_socket() {
            return Ok((Bytes::File(file), metadata.len()));
        }
        let mut size = [0; 8];
        file.read_exact(&mut size)?;
        Ok((Bytes::Socket(Mutex::new(file)), u64::from_le_bytes(size)))
    }

    /// Fills `into` with the bytes from `at` on.
    pub(crate) fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        let socket = match self {
            Bytes::File(file) => return file.read_exact_at(into, at),
            Bytes::Part(all, start) => return all.read_exact_at(into, start + at),
            Bytes::Socket(socket) => socket,
        };
        let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = at;
        for part in into.chunks_mut(MOST as usize) {
            ask(&mut *socket, part, at)?;
            at += part.len() as u64;
        }
        Ok(())
    }
}

fn ask(mut socket: impl Read + Write, part: &mut [u8], at: u64) -> io::Result<()> {
    let length = u32::try_from(part.len()).map_err(io::Error::other)?;
    let mut question = [0; QUESTION];
    question[..8].copy_from_slice(&at.to_le_bytes());
    question[8..].copy_from_slice(&length.to_le_bytes());
    socket.write_all(&question)?;
    let mut said = [NOT_HERE];
    socket.read_exact(&mut said)?;
    if said != [HERE] {
        return Err(io::Error::other("the worker cannot read it where it lies"));
    }
    socket.read_exact(part)
}

#[cfg(test)]
mod tests;
