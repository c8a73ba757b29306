//! Makes one part of a plan: lets a transcoder child work in a spool folder and takes every file that it finishes to
//! the origin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use headwater_model::incident::{At, How, Look, Mended};
use headwater_model::inventory::{LARGEST_OBJECT, Object, ObjectRole};
use headwater_model::key::{CACHE_FOREVER, PackageId};
use headwater_model::plan::Plan;
use headwater_model::quality::Seen;
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure, Outcome, Retry};
use headwater_ports::origin::{Before, Put};
use headwater_ports::transcoder::{Made, Part, Report, TranscodeError};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::failure::{Halt, later, never, of_origin, of_spool};
use crate::lease::Hold;
use crate::life::Ports;
use crate::retrieved::Retrieved;
use crate::{hash, mend, parts, spool, verify};

/// Reports that wait to be taken. A child that finishes files faster than the origin takes them stops here, so the
/// spool holds at most this many files more than are going up.
const REPORTS: usize = 16;

/// Files of one part that go up at once. Each is in memory whole, some 10 MB, and [`LARGEST_OBJECT`] at the very most; four
/// hide an origin's latency, and more would only take cores from the encoders.
const UPLOADS: usize = 4;

/// Does `Span` and `Audio`, with the child's files in `folder`, which the caller removes.
pub(crate) async fn make(
    ports: &Ports,
    masters: &Retrieved,
    hold: &Hold,
    claimed: &Claimed,
    part: Part,
    folder: &Path,
) -> Result<Outcome, Halt> {
    let plan =
        claimed.plan.as_ref().ok_or_else(|| never(Code::Internal, "the package has no plan"))?;
    let planned = parts::objects_of(plan, part);
    if planned.is_empty() {
        return Err(never(Code::Internal, format!("the plan has no {}", claimed.kind)).into());
    }
    if let Part::Span(n) = part
        && plan.copies(n)
    {
        match copy(ports, claimed, plan, &planned).await {
            // The version that it was copied from may be gone by now, or have lost it too.
            Err(Halt::Failed(failure)) if claimed.published_as.is_some() => {
                warn!(refusal = %failure.refusal, "not copied; made again");
            }
            copied => return copied,
        }
    }
    let source = masters.source(ports, claimed, plan.master).await?;

    spool::make(folder).await.map_err(|e| of_spool("make a folder", &e))?;
    let (sender, receiver) = mpsc::channel(REPORTS);
    let making = async {
        let made = plan.to_make();
        let done = ports.transcoder.make(&source.master.input, &made, part, folder, sender).await;
        done.map_err(TranscodeError::into_failure)
    };
    let target = Target::of(ports, claimed).await?;
    let storing = store_all(ports, hold, &target, &planned, folder, receiver);
    let worked = tokio::try_join!(making, storing);
    // Asked before the child's word counts: a master that vanished or was replaced explains any failure, and spoils
    // any success.
    if let Err(failure) = source.master.check_unchanged(&*ports.masters).await {
        return Err(masters.or_later(ports, claimed, plan.master, failure).await?.into());
    }
    let (done, stored) = worked?;

    let mut objects = stored.segments;
    let inits = stored.inits.iter().map(|init| init.object.clone());
    objects.extend(inits);
    parts::check_complete(&planned, &objects, &done.codecs).map_err(|refusal| Failure {
        refusal,
        retry: Retry::Later,
        last_words: None,
    })?;
    let mut differs = stored.differs;
    differs.extend(store_inits(ports, &target, stored.inits).await?);
    if !differs.is_empty() {
        let renditions: Vec<String> = differs.into_iter().collect();
        warn!(?renditions, "came out as other bytes than viewers have");
        return Ok(Outcome::MadeDifferently { renditions, cpu_ms: done.cpu_ms });
    }
    objects.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Outcome::Made { objects, codecs: done.codecs, cpu_ms: done.cpu_ms, seen: done.seen })
}

/// Takes a span over from the version that the package goes back to, byte by byte.
async fn copy(
    ports: &Ports,
    claimed: &Claimed,
    plan: &Plan,
    planned: &BTreeMap<String, ObjectRole>,
) -> Result<Outcome, Halt> {
    let base = plan.base.as_ref();
    let base = base.ok_or_else(|| never(Code::Internal, "the plan has nothing to copy from"))?;
    let older = PackageId { version: base.version, ..claimed.package.clone() };
    let (_, expected) =
        verify::sealed(ports, &older).await.map_err(verify::VerifyError::into_halt)?;
    let inventory = mend::read_inventory(ports, &older, expected).await;
    let inventory = inventory.ok_or_else(|| {
        later(Code::OriginUnavailable, format!("no origin gives the inventory of `{older}`"))
    })?;
    let target = Target::of(ports, claimed).await?;
    let (mut objects, mut inits, mut differs) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (path, role) in planned {
        let found = inventory.objects.iter().find(|o| o.path == *path && o.role == *role);
        let found = found.ok_or_else(|| {
            never(Code::Internal, format!("`{older}` does not have `{path}` as it is planned"))
        })?;
        let key = older.key_of(found);
        let body = mend::read(ports, &key, found.sha256).await.ok_or_else(|| {
            later(Code::OriginUnavailable, format!("no origin gives `{key}` as it should be"))
        })?;
        let object = Object { version: None, ..found.clone() };
        objects.push(object.clone());
        match role {
            ObjectRole::Init { .. } => inits.push(Init { object, body }),
            _ => differs.extend(target.take(ports, &object, body).await?),
        }
    }
    differs.extend(store_inits(ports, &target, inits).await?);
    if let Some(rendition) = differs.first() {
        let text = format!("`{older}` does not have `{rendition}` as it was copied from there");
        return Err(never(Code::Internal, text).into());
    }
    let made = |name: &String| planned.values().any(|role| role.rendition() == Some(name));
    let renditions = inventory.header.renditions.into_iter().filter(|r| made(&r.name));
    let codecs = renditions.map(|r| (r.name, r.codec)).collect();
    Ok(Outcome::Made { objects, codecs, cpu_ms: 0, seen: Seen::default() })
}

/// What a part has in hand when the child has ended.
struct Stored {
    /// On the origin.
    segments: Vec<Object>,
    /// Held back until they were compared with those of other spans.
    inits: Vec<Init>,
    /// Renditions with segments that viewers have otherwise, and that were not stored.
    differs: BTreeSet<String>,
}

/// An init segment that is not on the origin yet.
struct Init {
    object: Object,
    body: Bytes,
}

async fn store_all(
    ports: &Ports,
    hold: &Hold,
    target: &Target<'_>,
    planned: &BTreeMap<String, ObjectRole>,
    spool: &Path,
    mut reports: mpsc::Receiver<Report>,
) -> Result<Stored, Failure> {
    let made =
        stream::poll_fn(move |cx| reports.poll_recv(cx)).filter_map(async |report| match report {
            Report::Made(made) => Some(made),
            Report::Progress { frames } => {
                hold.progress(frames);
                None
            }
        });
    let mut stored = made
        .map(async |made| {
            let (object, body) = take(planned, spool, made).await?;
            if matches!(object.role, ObjectRole::Init { .. }) {
                return Ok::<_, Failure>((object, Some(body), None));
            }
            let differs = target.take(ports, &object, body).await?;
            Ok((object, None, differs))
        })
        .buffer_unordered(UPLOADS)
        .boxed();
    let mut all = Stored { segments: Vec::new(), inits: Vec::new(), differs: BTreeSet::new() };
    while let Some((object, body, differs)) = stored.try_next().await? {
        all.differs.extend(differs);
        match body {
            Some(body) => all.inits.push(Init { object, body }),
            None => all.segments.push(object),
        }
    }
    Ok(all)
}

/// Takes a finished file out of the spool: checks it against the plan, reads it, removes it, hashes it.
async fn take(
    planned: &BTreeMap<String, ObjectRole>,
    spool: &Path,
    made: Made,
) -> Result<(Object, Bytes), Failure> {
    let Made { file, path, role } = made;
    parts::check_made(planned, &path, &role).map_err(|refusal| Failure {
        refusal,
        retry: Retry::Later,
        last_words: None,
    })?;
    let file = inside(spool, &file).ok_or_else(|| {
        later(
            Code::TranscoderFailed,
            format!("the transcoder named `{}`, which is outside its spool folder", file.display()),
        )
    })?;
    let read = spawn_blocking(move || {
        // A link could lead anywhere, and the child is the least trusted of all processes here.
        if !fs::symlink_metadata(&file)?.is_file() {
            return Err(io::Error::other(format!("`{}` is not a plain file", file.display())));
        }
        let mut body = Vec::new();
        // One more byte tells that it is too large, however large it has become meanwhile.
        fs::File::open(&file)?.take(LARGEST_OBJECT + 1).read_to_end(&mut body)?;
        fs::remove_file(&file)?;
        Ok(Bytes::from(body))
    });
    let body = match read.await {
        Ok(read) => read.map_err(|e| of_spool(&format!("take `{path}`"), &e))?,
        Err(error) => {
            return Err(later(Code::Internal, format!("reading `{path}` ended early: {error}")));
        }
    };
    if body.is_empty() {
        return Err(later(
            Code::TranscoderFailed,
            format!("the transcoder made `{path}` without any bytes"),
        ));
    }
    if body.len() as u64 > LARGEST_OBJECT {
        let most = LARGEST_OBJECT >> 20;
        return Err(later(
            Code::TranscoderFailed,
            format!(
                "the transcoder made `{path}` of more than {most} MiB, which no origin is asked for in one piece: shorter segments of what is copied, or encoding it, make smaller ones"
            ),
        ));
    }
    let digests = hash::digests_of(body.clone()).await;
    let object = Object {
        path,
        bytes: digests.bytes,
        sha256: digests.sha256,
        md5: digests.md5,
        version: None,
        role,
    };
    Ok((object, body))
}

/// The file as a path that cannot leave the spool folder by its name.
fn inside(spool: &Path, file: &Path) -> Option<PathBuf> {
    let file = spool.join(file);
    let below = file.strip_prefix(spool).ok()?;
    below.components().all(|c| matches!(c, Component::Normal(_))).then_some(file.clone())
}

/// Stores one object of a package.
pub(crate) async fn put(
    ports: &Ports,
    package: &PackageId,
    object: &Object,
    body: Bytes,
) -> Result<(), Failure> {
    let put = Put {
        key: package.key_of(object),
        body,
        sha256: object.sha256,
        md5: object.md5,
        cache_control: CACHE_FOREVER,
        before: Before::Anything,
    };
    ports.stores.put(put).await
}

/// Stores the init segments, and fails when another span has a different one: their segments would not play together
/// (R3). Returns the renditions whose init segment viewers have otherwise.
async fn store_inits(
    ports: &Ports,
    target: &Target<'_>,
    inits: Vec<Init>,
) -> Result<BTreeSet<String>, Halt> {
    let mut differs = BTreeSet::new();
    let rows = ports.catalog.objects(target.package).await?;
    for Init { object, body } in inits {
        let before = rows.iter().find(|row| row.path == object.path);
        if let Some(row) = before.filter(|row| row.sha256 != object.sha256) {
            let text = format!(
                "`{}` differs between spans: SHA-256 {} here and {} before",
                object.path, object.sha256, row.sha256
            );
            return Err(never(Code::Internal, text).into());
        }
        differs.extend(target.take(ports, &object, body).await?);
    }
    Ok(differs)
}

/// Where finished objects go.
struct Target<'c> {
    package: &'c PackageId,
    way: Way,
}

/// What becomes of finished objects.
enum Way {
    /// They are stored as they come: nobody has the package yet.
    AsTheyCome {
        /// What a proof of it has found wrong.
        wrong: BTreeSet<At>,
    },
    /// Viewers have the package, so that they are stored where they are not sound, and only as they were.
    AsSealed {
        /// What every object was when the package was sealed, by path.
        objects: BTreeMap<String, Object>,
        /// What was found rotten, so that no origin's word about it counts.
        suspects: verify::Suspects,
    },
    /// They are only counted: viewers have the package, and nobody knows any more what is in it.
    Counted,
}

impl<'c> Target<'c> {
    async fn of(ports: &Ports, claimed: &'c Claimed) -> Result<Self, Halt> {
        let package = &claimed.package;
        let Some(expected) = claimed.published_as else {
            let (tenant, title) = (&package.tenant, &package.title);
            let open = ports.catalog.incidents(tenant, Some(title), false, u32::MAX).await?;
            let wrong = open.iter().map(|incident| At::of(&incident.finding)).collect();
            return Ok(Self { package, way: Way::AsTheyCome { wrong } });
        };
        if claimed.reseals {
            return Ok(Self { package, way: Way::Counted });
        }
        let inventory = mend::read_inventory(ports, package, expected).await;
        let inventory = inventory.ok_or_else(|| {
            later(Code::OriginUnavailable, "no origin gives the inventory of the package")
        })?;
        let objects = inventory.objects.into_iter().map(|o| (o.path.clone(), o)).collect();
        let suspects = verify::suspects(ports, package).await?;
        Ok(Self { package, way: Way::AsSealed { objects, suspects } })
    }

    /// Takes an object to every origin: while a package is made, as it comes; later only where it is not sound or is suspect,
    /// and only if it is the same bytes (R1). If it is not, or nobody knows, nothing is written; its rendition is returned if
    /// it is not.
    async fn take(
        &self,
        ports: &Ports,
        object: &Object,
        body: Bytes,
    ) -> Result<Option<String>, Failure> {
        let (sealed, suspects) = match &self.way {
            Way::AsTheyCome { wrong } => {
                put(ports, self.package, object, body).await?;
                let key = self.package.key_of(object);
                let mended = wrong.iter().filter(|at| at.object == key.as_str()).map(made_again);
                self.note(ports, mended.collect()).await?;
                return Ok(None);
            }
            Way::Counted => return Ok(None),
            Way::AsSealed { objects, suspects } => (objects, suspects),
        };
        match sealed.get(&object.path) {
            Some(before) if before.sha256 == object.sha256 => {}
            Some(_) => {
                return Ok(object.role.rendition().map(str::to_owned));
            }
            None => {
                let text = format!("`{}` is not in the inventory of the package", object.path);
                return Err(never(Code::Internal, text));
            }
        }
        let (mut mended, mut failed) = (Vec::new(), None);
        let key = self.package.key_of(object);
        for origin in ports.stores.iter() {
            let at = At { origin: origin.name().to_owned(), object: key.as_str().to_owned() };
            // Whoever does not answer is not known to lack anything; the heal task will ask again.
            if !suspects.contains(&at) && verify::has(&**origin, &key, object).await != Some(false)
            {
                continue;
            }
            match mend::store(&ports.stores, &**origin, key.clone(), body.clone()).await {
                Ok(()) => mended.push(made_again(&at)),
                // One that takes nothing should not keep the others from being put right.
                Err(error) => drop(failed.get_or_insert(of_origin(origin.name(), &error))),
            }
        }
        self.note(ports, mended).await?;
        failed.map_or(Ok(None), Err)
    }

    async fn note(&self, ports: &Ports, mended: Vec<Mended>) -> Result<(), Failure> {
        if mended.is_empty() {
            return Ok(());
        }
        let noted = ports.catalog.note(self.package, &Look { mended, ..Look::default() }).await;
        noted.map_err(|e| later(Code::Internal, e.to_string()))
    }
}

fn made_again(at: &At) -> Mended {
    let At { origin, object } = at.clone();
    Mended { origin, object, how: How::MadeAgain }
}

#[cfg(test)]
mod tests;
