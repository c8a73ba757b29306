//! Landlock: which paths there are for a child.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use super::{Places, Walls, named_folders};

/// The newest rights that are taken away; of older kernels those that they know.
const KNOWN: ABI = ABI::V10;

/// Where systems keep libraries, plugins and the data that belongs to them. Nothing there is anybody's secret.
const SYSTEM: [&str; 12] = [
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/share",
    "/usr/local/share",
    "/lib",
    "/lib64",
    // Systems where every package has a folder of its own.
    "/nix/store",
    "/gnu/store",
];

/// Single things that libraries look at: where other libraries are, how many cores and memory nodes there are.
const SINGLE: [&str; 5] = [
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/dev/urandom",
];

/// What listing plugins looks at beyond that: those that draw text ask for fonts as soon as they are loaded.
const SCANNED: [&str; 2] = ["/etc/fonts", "/var/cache/fontconfig"];

/// Keeps this thread, and those it will start, to what GStreamer is made of and the spool folder. Tells what is missing.
pub(super) fn wall_off(walls: Walls, places: Places<'_>) -> Vec<String> {
    match restrict(walls, places) {
        Ok(LandlockStatus::Available { effective_abi, .. }) => lacking(effective_abi),
        Ok(LandlockStatus::NotEnabled) => {
            vec![unwalled("Landlock is not enabled in this kernel")]
        }
        Ok(LandlockStatus::NotImplemented) => {
            vec![unwalled("this kernel, or the seccomp profile of the container, has no Landlock")]
        }
        Err(error) => vec![unwalled(&format!("Landlock refuses: {error}"))],
    }
}

/// What the Landlock of older kernels does not keep a child from.
pub(super) fn lacking(abi: ABI) -> Vec<String> {
    let mut lacking = Vec::new();
    if abi < ABI::V3 {
        let what = "it can empty files of this user: the kernel's Landlock is older than Linux 6.2";
        lacking.push(what.to_owned());
    }
    if abi < ABI::V6 {
        let what = "only seccomp keeps it from signals to other processes of this user: the kernel's Landlock is older than Linux 6.12";
        lacking.push(what.to_owned());
    }
    lacking
}

fn unwalled(why: &str) -> String {
    format!("it can read and write all files of this user: {why}")
}

fn restrict(walls: Walls, places: Places<'_>) -> Result<LandlockStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let (code, registry) = match walls {
        // Libraries are mapped, not executed: no right to start programs is needed to load plugins.
        Walls::Work => (read, read),
        Walls::Scan => (read | AccessFs::Execute, read | written(walls)),
    };
    let mut code_paths: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    code_paths.extend(named_folders());
    code_paths.extend(loaded_from());
    let mut singles: Vec<&Path> = SINGLE.iter().map(Path::new).collect();
    if walls == Walls::Scan {
        singles.extend(SCANNED.iter().map(Path::new));
    }
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        // No rule allows any port.
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(path_beneath_rules(code_paths, code))?
        .add_rules(path_beneath_rules(singles, read))?
        .add_rules(path_beneath_rules(["/dev/null"], read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules([places.registry], registry))?
        .add_rules(path_beneath_rules([places.spool], read | written(walls)))?
        .restrict_self()?;
    Ok(status.landlock)
}

/// Folders of the libraries that this program was started with: where they are not the system's, plugins will ask for
/// more from there.
fn loaded_from() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let files = maps.lines().filter_map(|line| line.find('/').and_then(|at| line.get(at..)));
    let libraries = files
        .map(Path::new)
        .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains(".so")));
    let mut folders: Vec<PathBuf> =
        libraries.filter_map(Path::parent).map(Path::to_owned).collect();
    folders.sort();
    folders.dedup();
    folders
}

/// What a child does with files of its own. No links, pipes, sockets and devices: the worker reads what it finds there,
/// and must not be led elsewhere or kept waiting. Nor folders at work, since one that nobody may list hides what is in it
/// and cannot be removed: those of renditions are there before. And nothing is removed or renamed at work: a file without
/// a name is in no count for as long as it is open.
fn written(walls: Walls) -> BitFlags<AccessFs> {
    let files = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg;
    match walls {
        Walls::Work => files,
        Walls::Scan => files | AccessFs::MakeDir | AccessFs::RemoveFile | AccessFs::RemoveDir,
    }
}
