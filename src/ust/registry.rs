// SPDX-License-Identifier: GPL-2.0-only
//! What the applications that share buffers have registered: channels, events and enumerations, their ids,
//! and the metadata text that describes them.
//!
//! One registry belongs to a session and a user (and word size), or to a session and one application. It is
//! pure data: pushing the text to the consumer daemon, and knowing how much of it was pushed, is done
//! elsewhere. A registration that fails must leave everything as it was, so that a reader never sees a block
//! that is cut off. What is kept of registrations is charged to the user whose applications made them; it is given up
//! together with the registry, since ids stay given.

mod identity;

use std::collections::HashMap;
use std::ops::Range;

use lttng_protocol::ust::field::{Field, FieldKind, modernize_contexts};
use lttng_protocol::ust::notify::{EnumEntry, RegisterEnum, RegisterEvent};
use lttng_protocol::ust::registration::ByteOrder;

use self::identity::{Identity, squeeze_into};
use super::size;
use super::tsdl::readable::{self, Unreadable};
use super::tsdl::{self, Header, Types};
use crate::accounts::Charge;

/// Largest text, in bytes: some hundred thousand events. It lets positions in the text be 32 bits wide.
const MAX_TEXT_SIZE: usize = 256 << 20;
/// Most enumerations and entries of enumerations, counted together.
const MAX_ENUM_ENTRIES: usize = 1 << 18;
/// Most bytes of descriptions that are remembered: those of a thousand events.
const MAX_REMEMBERED: usize = 256 << 10;
/// What an entry of a map costs besides its bytes, as memory is given out.
const ENTRY_COST: usize = 96;
/// What an entry of an enumeration costs besides its label.
const LABEL_COST: usize = size_of::<EnumEntry>() + 16;

/// A negative errno for the application.
type Errno = i32;

/// Where a block is in the text.
type Span = Range<u32>;

/// Ids and metadata text of the applications that share buffers.
#[derive(Debug)]
pub struct Registry {
    byte_order: ByteOrder,
    text: String,
    /// Size of the header in it.
    header: usize,
    /// How often it started over by itself.
    restarts: u64,
    /// By chan_id.
    channels: Vec<Channel>,
    /// By enumeration id.
    enums: Vec<Box<[EnumEntry]>>,
    enum_ids: HashMap<Identity, u64>,
    /// Enumerations and entries so far.
    enum_entries: usize,
    /// Bytes that the descriptions cost which channels remember.
    remembered: usize,
    /// Room for the description that is looked for.
    wanted: Vec<u8>,
    /// What is kept of registrations, for the user whose applications made them.
    charge: Charge,
}

/// A channel of the registry.
#[derive(Debug, Default)]
struct Channel {
    /// Set when an application has registered the channel.
    stream: Option<Stream>,
    event_ids: HashMap<Identity, u32>,
    /// The ids of events whose description came more than once, by its bytes: an application is rarely alone of its kind.
    described: HashMap<Identity, u32>,
    /// The event blocks, by event id.
    events: Vec<Span>,
    /// Bytes that one event of each kind takes, about, added up.
    sizes: u64,
}

/// A channel's contexts.
#[derive(Debug)]
struct Stream {
    contexts: Identity,
    block: Span,
    /// No application has registered the channel: it is described without contexts.
    assumed: bool,
    /// Some of the contexts refer to others.
    refers: bool,
    /// There is an event that never occurs in the text.
    placeholder: bool,
    /// Bytes that the contexts take, about.
    size: u64,
}

impl Stream {
    fn new(contexts: &[Field], block: Span, assumed: bool) -> Self {
        let refers =
            |field: &Field| matches!(field.kind, FieldKind::Sequence { .. } | FieldKind::Variant { .. });
        Stream {
            contexts: Identity::of_fields(contexts),
            block,
            assumed,
            refers: contexts.iter().any(refers),
            placeholder: false,
            size: size::of_fields(contexts),
        }
    }
}

impl Registry {
    /// A registry without channels; its text is the header. What applications register will be added to `charge`.
    pub fn new(header: &Header, charge: Charge) -> Self {
        let text = header.to_string();
        Registry {
            byte_order: header.byte_order,
            header: text.len(),
            text,
            restarts: 0,
            channels: Vec::new(),
            enums: Vec::new(),
            enum_ids: HashMap::new(),
            enum_entries: 0,
            remembered: 0,
            wanted: Vec::new(),
            charge,
        }
    }

    /// Adds a channel; returns its chan_id, which is also the stream id in the trace.
    pub fn add_channel(&mut self) -> u32 {
        let chan_id = u32::try_from(self.channels.len()).unwrap_or(u32::MAX);
        self.channels.push(Channel::default());
        chan_id
    }

    /// The id of an enumeration: that of an equal one, or a new one. Nothing is added to the text, the entries
    /// appear wherever a field uses them.
    ///
    /// # Errors
    ///
    /// `-EINVAL` if no reader would understand it; `-EOVERFLOW` if there are too many; `-ENOMEM` if the user has too
    /// much.
    pub fn register_enum(&mut self, request: &RegisterEnum) -> Result<u64, Errno> {
        let identity = Identity::of_enum(request);
        if let Some(&id) = self.enum_ids.get(&identity) {
            return Ok(id);
        }
        if !readable::is_possible_enum(&request.entries) {
            return Err(-libc::EINVAL);
        }
        let entries = self.enum_entries.saturating_add(request.entries.len()).saturating_add(1);
        if entries > MAX_ENUM_ENTRIES {
            return Err(-libc::EOVERFLOW);
        }
        let labels = request.entries.iter().map(|entry| entry.label.len().saturating_add(LABEL_COST));
        let cost = labels.fold(identity.len(), usize::saturating_add);
        self.charge_entry(cost)?;
        let id = self.enums.len() as u64;
        self.enum_entries = entries;
        self.enums.push(request.entries.clone().into_boxed_slice());
        self.enum_ids.insert(identity, id);
        Ok(id)
    }

    /// The id of an event in a channel: that of an equal one, or a new one, whose block is then appended to
    /// the text. The block may come before that of the channel.
    ///
    /// # Errors
    ///
    /// `-EINVAL` if the channel does not exist, a field cannot be described or the text is too large;
    /// `-EOVERFLOW` if the fields are incomplete; `-ENOENT` for an unknown enumeration; `-ENOMEM` if the user has too
    /// much.
    pub fn register_event(&mut self, chan_id: u32, event: &RegisterEvent) -> Result<u32, Errno> {
        let channel = self.channels.get(chan_id as usize).ok_or(-libc::EINVAL)?;
        let identity = Identity::of_event(event);
        if let Some(&id) = channel.event_ids.get(&identity) {
            return Ok(id);
        }
        let id = u32::try_from(channel.events.len()).map_err(|_| -libc::ENOENT)?;
        let block = tsdl::event(self.types(), chan_id, id, event).map_err(tsdl::Error::errno)?;
        self.check(&event.fields)?;
        let span = self.append_charged(&block, &identity)?;
        let channel = self.channels.get_mut(chan_id as usize).ok_or(-libc::EINVAL)?;
        channel.events.push(span);
        channel.sizes = channel.sizes.saturating_add(size::of_fields(&event.fields));
        channel.event_ids.insert(identity, id);
        Ok(id)
    }

    /// The id of an event, if the very same description is remembered.
    pub fn described_event(&mut self, chan_id: u32, description: &[u8]) -> Option<u32> {
        self.wanted.clear();
        squeeze_into(&mut self.wanted, description);
        let channel = self.channels.get(chan_id as usize)?;
        channel.described.get(self.wanted.as_slice()).copied()
    }

    /// Like [`Registry::register_event`], for an event that [`Registry::described_event`] did not find: the next time it
    /// does, unless this is the first time of all.
    ///
    /// # Errors
    ///
    /// Those of [`Registry::register_event`].
    pub fn register_described(&mut self, chan_id: u32, event: &RegisterEvent) -> Result<u32, Errno> {
        let before = self.text.len();
        let id = self.register_event(chan_id, event)?;
        if self.text.len() == before && !self.wanted.is_empty() {
            self.remember(chan_id, id);
        }
        Ok(id)
    }

    /// Remembers what was looked for last. When there is too much, all is forgotten: what is still in use comes again.
    fn remember(&mut self, chan_id: u32, id: u32) {
        let description = Identity::of_squeezed(&self.wanted);
        let cost = description.len().saturating_add(ENTRY_COST);
        if self.remembered.saturating_add(cost) > MAX_REMEMBERED {
            self.charge.shrink(std::mem::take(&mut self.remembered) as u64);
            self.channels.iter_mut().for_each(|channel| channel.described = HashMap::new());
        }
        if let Some(channel) = self.channels.get_mut(chan_id as usize)
            && self.charge.grow(cost as u64).is_ok()
        {
            self.remembered = self.remembered.saturating_add(cost);
            channel.described.insert(description, id);
        }
    }

    /// Takes note of a channel's contexts. The first time, its block is appended to the text; every later
    /// application must have the same contexts. The text starts over if the channel had been described without
    /// contexts meanwhile.
    ///
    /// # Errors
    ///
    /// `-EINVAL` if the channel does not exist, the contexts are other ones or cannot be described, or the text
    /// is too large; `-EOVERFLOW` if they are incomplete; `-ENOENT` for an unknown enumeration; `-ENOMEM` if the user has
    /// too much.
    pub fn register_channel(&mut self, chan_id: u32, contexts: &[Field]) -> Result<(), Errno> {
        let channel = self.channels.get(chan_id as usize).ok_or(-libc::EINVAL)?;
        let contexts = modernize_contexts(contexts).ok_or(-libc::EINVAL)?;
        let identity = Identity::of_fields(&contexts);
        let assumed = match &channel.stream {
            Some(stream) if stream.contexts == identity => {
                self.describe(chan_id, |stream| stream.assumed = false);
                return Ok(());
            }
            Some(stream) if !stream.assumed => return Err(-libc::EINVAL),
            stream => stream.is_some(),
        };
        let block = tsdl::stream(self.types(), chan_id, &contexts).map_err(tsdl::Error::errno)?;
        self.check(&contexts)?;
        let block = self.append_charged(&block, &identity)?;
        let stream = Stream::new(&contexts, block, false);
        if let Some(channel) = self.channels.get_mut(chan_id as usize) {
            channel.stream = Some(stream);
        }
        if assumed {
            let header = self.text.get(..self.header).unwrap_or_default().to_owned();
            self.start_over(header);
            self.restarts = self.restarts.saturating_add(1);
        }
        Ok(())
    }

    /// Adds what the text lacks for a reader: each channel that no application has registered yet is described,
    /// without contexts, and one without events gets a placeholder where a reader needs one. A reader gives up on an
    /// event or a packet of a channel that is not described, and there are such when an application goes, or stands
    /// still, before it has come to its channels.
    pub fn complete(&mut self) {
        for chan_id in (0..).take(self.channels.len()) {
            if self.channels.get(chan_id as usize).is_some_and(|channel| channel.stream.is_none()) {
                self.assume(chan_id);
            }
            let lacks_event = self.channels.get(chan_id as usize).is_some_and(|channel| {
                let wants = |stream: &Stream| stream.refers && !stream.placeholder;
                channel.events.is_empty() && channel.stream.as_ref().is_some_and(wants)
            });
            if lacks_event && self.append(&tsdl::placeholder(chan_id)).is_ok() {
                self.describe(chan_id, |stream| stream.placeholder = true);
            }
        }
    }

    /// Describes a channel without contexts.
    fn assume(&mut self, chan_id: u32) {
        let block = tsdl::stream(self.types(), chan_id, &[]).map_err(tsdl::Error::errno);
        let Ok(block) = block.and_then(|block| self.append(&block)) else { return };
        if let Some(channel) = self.channels.get_mut(chan_id as usize) {
            channel.stream = Some(Stream::new(&[], block, true));
        }
    }

    /// How often the text has started over by itself.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    fn describe(&mut self, chan_id: u32, change: impl FnOnce(&mut Stream)) {
        let channel = self.channels.get_mut(chan_id as usize);
        if let Some(stream) = channel.and_then(|channel| channel.stream.as_mut()) {
            change(stream);
        }
    }

    /// Bytes that an event takes in a channel, about: the mean of all kinds, each once, with header and contexts. Nothing
    /// without events.
    pub fn size_of_event(&self, chan_id: u32) -> Option<u64> {
        let channel = self.channels.get(chan_id as usize)?;
        let mean = channel.sizes.checked_div(channel.events.len() as u64)?;
        let contexts = channel.stream.as_ref().map_or(0, |stream| stream.size);
        Some(mean.saturating_add(contexts).saturating_add(size::HEADER))
    }

    /// Why fields are refused that can be written: for the log.
    pub fn objection(&self, fields: &[Field]) -> Option<Unreadable> {
        readable::check(self.types(), fields).err()
    }

    fn check(&self, fields: &[Field]) -> Result<(), Errno> {
        readable::check(self.types(), fields).map_err(|_| -libc::EINVAL)
    }

    /// The metadata text so far. It only grows, except in [`Registry::regenerate`] and when [`Registry::restarts`]
    /// does. A reader can read it after [`Registry::complete`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Makes the text anew: the header, which may have another clock offset, then each channel's block and the
    /// blocks of its events, by id. A channel that no application has registered yet still has no block. The
    /// header must be for the same byte order as the first one: the blocks are not made anew.
    pub fn regenerate(&mut self, header: &Header) {
        self.start_over(header.to_string());
    }

    /// Makes the text anew from its blocks.
    fn start_over(&mut self, header: String) {
        self.header = header.len();
        let old = std::mem::replace(&mut self.text, header);
        for channel in &mut self.channels {
            let stream = channel.stream.as_mut().map(|stream| {
                stream.placeholder = false;
                &mut stream.block
            });
            for span in stream.into_iter().chain(&mut channel.events) {
                let block = old.get(span.start as usize..span.end as usize).unwrap_or_default();
                *span = push(&mut self.text, block);
            }
        }
    }

    fn types(&self) -> Types<'_> {
        Types { byte_order: self.byte_order, enums: &self.enums }
    }

    /// Appends a whole block to the text, and charges it together with what it is known by.
    fn append_charged(&mut self, block: &str, identity: &Identity) -> Result<Span, Errno> {
        let cost = block.len().saturating_add(identity.len());
        self.charge_entry(cost)?;
        self.append(block).inspect_err(|_| self.charge.shrink(cost.saturating_add(ENTRY_COST) as u64))
    }

    /// Charges an entry of a map and so many bytes that it keeps.
    fn charge_entry(&mut self, bytes: usize) -> Result<(), Errno> {
        self.charge.grow(bytes.saturating_add(ENTRY_COST) as u64).map_err(|_| -libc::ENOMEM)
    }

    /// Appends a whole block to the text.
    fn append(&mut self, block: &str) -> Result<Span, Errno> {
        if block.len() > MAX_TEXT_SIZE.saturating_sub(self.text.len()) {
            return Err(-libc::EINVAL);
        }
        Ok(push(&mut self.text, block))
    }
}

/// Appends a block that fits.
fn push(text: &mut String, block: &str) -> Span {
    let position = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
    let start = position(text);
    if text.capacity().saturating_sub(text.len()) < block.len() {
        // Not twice as much room as before, as usual: a part of what is charged is enough.
        text.reserve_exact(block.len().max(text.len() / 8));
    }
    text.push_str(block);
    start..position(text)
}

#[cfg(test)]
mod tests;
