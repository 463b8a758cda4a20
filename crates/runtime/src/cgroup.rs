//! How much memory the process's control groups let it use: in most containers, less than the machine has.
//!
//! ```text
//!   /proc/self/cgroup      0::/pods/one/app                        version 2, or of version 1 the memory controller's
//!   /proc/self/mountinfo   .. /pods /sys/fs/cgroup .. cgroup2 ..   where the groups below `/pods` can be seen
//!   read                   /sys/fs/cgroup/one/app/memory.max, /sys/fs/cgroup/one/.., /sys/fs/cgroup/..
//! ```

use std::path::{Path, PathBuf};

/// The smallest limit, in bytes, of the process's groups and those above them. `None` if there is none to be seen.
pub(crate) fn limit() -> Option<u64> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    limit_of(&read(Path::new("/proc/self/cgroup"))?, &read(Path::new("/proc/self/mountinfo"))?, read)
}

fn limit_of(groups: &str, mounts: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let limits = groups.lines().filter_map(Group::of).flat_map(|group| {
        let mounts =
            mounts.lines().filter_map(|line| Mount::of(line).filter(|mount| mount.version == group.version));
        mounts.filter_map(|mount| mount.limit_of(group.path, &read)).collect::<Vec<_>>()
    });
    limits.min()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A group that the process is in, with a say in memory.
struct Group<'a> {
    version: Version,
    path: &'a str,
}

impl<'a> Group<'a> {
    /// A line of `/proc/self/cgroup`: a number, controllers, the path.
    fn of(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let version = match controllers {
            "" => Version::Two,
            one if one.split(',').any(|name| name == "memory") => Version::One,
            _ => return None,
        };
        Some(Self { version, path })
    }
}

/// A place where groups can be seen: that of path `root`, and those below it.
struct Mount<'a> {
    version: Version,
    root: &'a str,
    point: PathBuf,
}

impl<'a> Mount<'a> {
    /// A line of `/proc/self/mountinfo`.
    fn of(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let (mut left, mut right) = (left.split(' ').skip(3), right.split(' '));
        let (root, point) = (left.next()?, left.next()?);
        let version = match right.next()? {
            "cgroup2" => Version::Two,
            "cgroup" if right.nth(1)?.split(',').any(|name| name == "memory") => Version::One,
            _ => return None,
        };
        // Other characters than a space, which is what is escaped, do not occur in practice.
        Some(Self { version, root, point: point.replace("\\040", " ").into() })
    }

    /// The smallest limit of a group and of those above it, as far as they can be seen.
    fn limit_of(&self, group: &str, read: &impl Fn(&Path) -> Option<String>) -> Option<u64> {
        let file = match self.version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        // A group that is not below is seen from inside: its own limits are where the mount begins.
        let below = Path::new(group).strip_prefix(self.root).unwrap_or(Path::new(""));
        let folders = below.ancestors().map(|folder| self.point.join(folder));
        // `max` is no number, and no limit.
        folders.filter_map(|folder| read(&folder.join(file))?.trim().parse().ok()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit that these files come to.
    fn limit_with(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<u64> {
        let files: Vec<_> = files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
        limit_of(groups, mounts, |path| Some(files.iter().find(|(other, _)| *other == path)?.1.to_owned()))
    }

    const TWO: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn version_two_in_its_hierarchy() {
        let files = [
            ("/sys/fs/cgroup/pods/memory.max", "900000\n"),
            ("/sys/fs/cgroup/pods/one/memory.max", "max\n"),
            ("/sys/fs/cgroup/pods/one/app/memory.max", "1000000\n"),
            ("/sys/fs/cgroup/pods/other/memory.max", "5\n"),
        ];
        assert_eq!(limit_with("0::/pods/one/app\n", TWO, &files), Some(900_000));
        assert_eq!(limit_with("0::/pods/one/app\n", TWO, &files[1..]), Some(1_000_000));
        assert_eq!(limit_with("0::/pods/one\n", TWO, &files[1..]), None);
        assert_eq!(limit_with("0::/\n", TWO, &files), None);
        assert_eq!(limit_with("", TWO, &files), None);
        assert_eq!(limit_with("0::/pods\n", "", &files), None);
    }

    #[test]
    fn a_container_sees_its_group_as_the_first() {
        let files = [("/sys/fs/cgroup/memory.max", "268435456\n")];
        assert_eq!(limit_with("0::/\n", TWO, &files), Some(256 << 20));
        // Without a namespace of its own, by the mount's root; or as one outside of it.
        let mount = TWO.replace("0:26 / ", "0:26 /docker/abc ");
        assert_eq!(limit_with("0::/docker/abc\n", &mount, &files), Some(256 << 20));
        assert_eq!(limit_with("0::/../other\n", TWO, &files), Some(256 << 20));
    }

    #[test]
    fn version_one_by_the_memory_controller() {
        let groups = "9:name=systemd:/\n5:cpu,cpuacct:/jobs\n4:memory:/jobs/7\n0::/\n";
        let mounts = format!(
            "34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
             35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
             {}",
            TWO.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")
        );
        let files = [
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/jobs/memory.limit_in_bytes", "536870912\n"),
            ("/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/cpu/jobs/memory.limit_in_bytes", "1\n"),
        ];
        assert_eq!(limit_with(groups, &mounts, &files), Some(512 << 20));
    }

    #[test]
    fn what_is_not_understood_is_no_limit() {
        for (groups, mounts) in
            [("x", TWO), ("0::/", "x"), ("0::/", "1 2 3 - cgroup2"), ("0::/", "1 2 3 / - cgroup")]
        {
            assert_eq!(
                limit_with(groups, mounts, &[("/sys/fs/cgroup/memory.max", "x")]),
                None,
                "{groups} {mounts}"
            );
        }
    }
}
