//! How much memory the kernel allows this process: the least limit of its cgroups, of both versions. A container has one; it
//! is ended when it goes beyond, so what is sized for a machine must not be taken for granted.

use std::path::{Component, Path, PathBuf};

/// Above this no limit is meant: version 1 writes "none" as the largest number of pages.
const NONE: u64 = 1 << 60;

/// What is mounted where, of one version.
struct Mounted {
    /// The folder of cgroups that is seen at the mount point.
    root: PathBuf,
    point: PathBuf,
}

/// The least limit that holds for this process; `root` is the root of the file system, `/`. `None` where there is none, or
/// no Linux.
pub(super) fn of(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let (groups, mounts) = (read("proc/self/cgroup")?, read("proc/self/mountinfo")?);
    let mut least: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let files: &[&str] = match controllers {
            "" => &["memory.max", "memory.high"],
            list if list.split(',').any(|controller| controller == "memory") => &["memory.limit_in_bytes"],
            _ => continue,
        };
        let Some(mounted) = mounts.lines().find_map(|mount| mounted(mount, controllers.is_empty())) else { continue };
        for folder in folders(&mounted, Path::new(path)) {
            let limits = files.iter().filter_map(|file| limit(&root.join(&folder).join(file)));
            least = limits.chain(least).min();
        }
    }
    least
}

/// The mount of a line of `mountinfo`, if it is one of cgroups of this version that has memory.
fn mounted(line: &str, unified: bool) -> Option<Mounted> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1).unwrap_or_default());
    let wanted = match unified {
        true => kind == "cgroup2",
        false => kind == "cgroup" && options.split(',').any(|option| option == "memory"),
    };
    wanted.then(|| Mounted { root: unescaped(root), point: unescaped(point) })
}

/// `\040` as the space it stands for.
fn unescaped(text: &str) -> PathBuf {
    PathBuf::from(text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
}

/// The folders of a cgroup and of those it is in, as far as they can be seen, relative to the root of the file system.
fn folders(mounted: &Mounted, group: &Path) -> Vec<PathBuf> {
    // A group outside of what is mounted is seen as the mount itself: a container sees its own as the root.
    let below = group.strip_prefix(&mounted.root).unwrap_or(Path::new(""));
    let names = below.components().filter(|part| matches!(part, Component::Normal(_)));
    let outside = below.components().any(|part| part == Component::ParentDir);
    let point = mounted.point.strip_prefix("/").unwrap_or(&mounted.point).to_owned();
    let mut found = vec![point.clone()];
    if !outside {
        let mut folder = point;
        for name in names {
            folder.push(name);
            found.push(folder.clone());
        }
    }
    found
}

fn limit(path: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.trim().parse().ok().filter(|limit| (1..NONE).contains(limit))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const V2: &str = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
    const V1: &str = "40 30 0:35 / /sys/fs/cgroup/memory rw,nosuid shared:17 - cgroup cgroup rw,memory";
    const V1_CPU: &str = "41 30 0:36 / /sys/fs/cgroup/cpu rw,nosuid shared:18 - cgroup cgroup rw,cpu,cpuacct";

    /// The limit in a file system of these files.
    fn of_files(cgroup: &str, mounts: &[&str], files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        let mounts = mounts.join("\n");
        for (path, text) in [("proc/self/cgroup", cgroup), ("proc/self/mountinfo", &mounts)].iter().chain(files) {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        of(root.path())
    }

    #[test]
    fn the_least_limit_up_the_hierarchy_holds() {
        let files = [
            ("sys/fs/cgroup/pods/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/pods/a/memory.max", "268435456\n"),
            ("sys/fs/cgroup/pods/a/memory.high", "max\n"),
            ("sys/fs/cgroup/pods/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/other/memory.max", "1048576\n"),
        ];
        assert_eq!(of_files("0::/pods/a/b\n", &[V2], &files), Some(256 * MIB));
        assert_eq!(of_files("0::/pods\n", &[V2], &files), Some(1024 * MIB));
        assert_eq!(of_files("0::/\n", &[V2], &files), None);
        let high = [files[1], ("sys/fs/cgroup/pods/a/memory.high", "134217728\n")];
        assert_eq!(of_files("0::/pods/a\n", &[V2], &high), Some(128 * MIB));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let own = [("sys/fs/cgroup/memory.max", "67108864")];
        assert_eq!(of_files("0::/\n", &[V2], &own), Some(64 * MIB), "with a namespace of cgroups");
        assert_eq!(of_files("0::/../../system\n", &[V2], &own), Some(64 * MIB), "seen from outside of it");
        let mount = "30 25 0:26 /docker/ab\\040c /sys/fs/cgroup ro - cgroup2 cgroup rw";
        assert_eq!(of_files("0::/docker/ab c\n", &[mount], &own), Some(64 * MIB), "without one");
        assert_eq!(of_files("0::/elsewhere\n", &[mount], &own), Some(64 * MIB));
    }

    #[test]
    fn version_one_and_both_together_are_read() {
        let cgroup = "5:cpu,cpuacct:/x\n3:memory:/docker/a\n0::/system\n";
        let files = |limit: &'static str| {
            [
                ("sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes", limit),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/cpu/x/memory.limit_in_bytes", "1\n"),
            ]
        };
        assert_eq!(of_files(cgroup, &[V1_CPU, V1], &files("134217728\n")), Some(128 * MIB));
        assert_eq!(of_files(cgroup, &[V1_CPU, V1], &files("9223372036854771712\n")), None);
        let hybrid = "31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let mut both = files("134217728\n").to_vec();
        both.push(("sys/fs/cgroup/unified/system/memory.max", "33554432\n"));
        assert_eq!(of_files(cgroup, &[V1, hybrid], &both), Some(32 * MIB));
    }

    #[test]
    fn without_files_or_with_odd_ones_there_is_no_limit() {
        assert_eq!(of(Path::new("/nowhere")), None);
        for text in ["", "max", "0", "-1", "many", "18446744073709551616"] {
            assert_eq!(of_files("0::/\n", &[V2], &[("sys/fs/cgroup/memory.max", text)]), None, "{text}");
        }
        assert_eq!(of_files("0\n::\nx:y\n", &[V2, "", "a - b"], &[]), None);
    }
}
