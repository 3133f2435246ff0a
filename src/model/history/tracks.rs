//! Where the tracks of a history are kept: by address and kind.
//!
//! Invariant: a track belongs to one address and one kind; addresses come in their order, kinds in theirs.

use super::{Kind, Server, Track};
use std::sync::Arc;

/// A zone has a handful of addresses: to look at each of them is quicker than to put names in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tracks {
    servers: Vec<(Arc<Server>, ServerTracks)>,
}

/// The tracks of one address. A history is copied for every turn: copies share the tracks that do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerTracks {
    by_kind: [Option<Arc<Track>>; Kind::ALL.len()],
}

impl Tracks {
    pub fn servers(&self) -> impl Iterator<Item = (&Server, &ServerTracks)> {
        self.servers.iter().map(|(server, tracks)| (&**server, tracks))
    }

    pub fn get(&self, server: &Server, kind: Kind) -> Option<&Track> {
        self.servers().find(|(known, _)| *known == server)?.1.get(kind)
    }

    pub fn get_mut(&mut self, server: &Server, kind: Kind) -> Option<&mut Track> {
        let (_, tracks) = self.servers.iter_mut().find(|(known, _)| **known == *server)?;
        tracks.by_kind.get_mut(kind as usize)?.as_mut().map(Arc::make_mut)
    }

    /// An empty one, where nothing was known.
    pub fn entry(&mut self, server: &Server, kind: Kind) -> &mut Track {
        let nth = match self.servers.iter().position(|(known, _)| **known == *server) {
            Some(nth) => nth,
            None => {
                let nth = self.servers.partition_point(|(known, _)| **known < *server);
                self.servers.insert(nth, (Arc::new(server.clone()), ServerTracks::default()));
                nth
            }
        };
        // Both places exist: the first was just found or made, and there is one for each kind.
        Arc::make_mut(self.servers[nth].1.by_kind[kind as usize].get_or_insert_default())
    }

    pub fn of_mut(&mut self, server: &Server) -> impl Iterator<Item = (Kind, &mut Track)> {
        let of = self.servers.iter_mut().find(|(known, _)| **known == *server);
        of.into_iter().flat_map(|(_, tracks)| tracks.iter_mut())
    }

    pub fn matching_mut(&mut self, which: impl Fn(&Track) -> bool) -> impl Iterator<Item = &mut Track> {
        let slots = self.servers.iter_mut().flat_map(|(_, tracks)| tracks.by_kind.iter_mut().flatten());
        slots.filter(move |track| which(track)).map(Arc::make_mut)
    }
}

impl ServerTracks {
    pub fn get(&self, kind: Kind) -> Option<&Track> {
        self.by_kind.get(kind as usize)?.as_deref()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Kind, &Track)> {
        Kind::ALL.into_iter().filter_map(|kind| Some((kind, self.get(kind)?)))
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = (Kind, &mut Track)> {
        let slots = Kind::ALL.into_iter().zip(&mut self.by_kind);
        slots.filter_map(|(kind, track)| Some((kind, Arc::make_mut(track.as_mut()?))))
    }
}
