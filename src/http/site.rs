//! A generated site (Pelican's `output/`): files of one folder under clean addresses.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// Who may see the site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SiteAccess {
    /// Who is signed in.
    #[default]
    SignedIn,
    /// Anyone.
    Public,
}

/// A folder whose files are served for every path that is no route.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
    /// Who may see it.
    pub access: SiteAccess,
}

/// What is at an address of the site.
#[derive(Debug)]
pub enum Found {
    /// A file.
    File(Page),
    /// A folder, asked for without the slash behind it: relative links would lead elsewhere.
    Folder,
    /// Nothing that may be shown.
    Nothing,
}

/// A file of the site, opened.
#[derive(Debug)]
pub struct Page {
    /// Its content.
    pub file: File,
    /// Its size.
    pub bytes: u64,
    /// Changes whenever the file does.
    pub validator: String,
    /// Its type by its name.
    pub mime_type: String,
}

impl Site {
    /// The site in a folder.
    ///
    /// # Errors
    /// What the file system says; the path is no folder.
    pub fn open(folder: &Path, access: SiteAccess) -> io::Result<Self> {
        let root = fs::canonicalize(folder)?;
        if !root.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { root, access })
    }

    /// What is at `path`, percent-encoded as it came. Blocks for the file system. A link that leads out
    /// of the folder leads nowhere, and so does anything whose name begins with a dot.
    #[must_use]
    pub fn find(&self, path: &str) -> Found {
        let Some(relative) = relative(path) else { return Found::Nothing };
        let Some(place) = self.inside(&self.root.join(relative)) else { return Found::Nothing };
        match (place.is_dir(), path.ends_with('/')) {
            (true, true) => {
                let index = self.inside(&place.join("index.html"));
                index.and_then(|index| open(&index)).map_or(Found::Nothing, Found::File)
            }
            (true, false) => {
                let has_index = place.join("index.html").is_file();
                if has_index { Found::Folder } else { Found::Nothing }
            }
            (false, true) => Found::Nothing,
            (false, false) => open(&place).map_or(Found::Nothing, Found::File),
        }
    }

    /// The site's own page for addresses where there is nothing.
    #[must_use]
    pub fn not_found_page(&self) -> Option<Page> {
        open(&self.inside(&self.root.join("404.html"))?)
    }

    /// The real place, if it is in the folder and nothing on the way is hidden.
    fn inside(&self, place: &Path) -> Option<PathBuf> {
        let real = fs::canonicalize(place).ok()?;
        let below = real.strip_prefix(&self.root).ok()?;
        let is_hidden = below
            .components()
            .any(|part| part.as_os_str().to_str().is_none_or(|name| name.starts_with('.')));
        (!is_hidden).then_some(real)
    }
}

/// The path inside the folder: no part of it is empty, hidden, or more than a name.
fn relative(path: &str) -> Option<PathBuf> {
    let parts = path.strip_prefix('/')?;
    let parts = parts.strip_suffix('/').unwrap_or(parts);
    if parts.is_empty() {
        return Some(PathBuf::new());
    }
    parts
        .split('/')
        .map(|part| {
            let name = percent_decode_str(part).decode_utf8().ok()?;
            let is_name = !name.is_empty()
                && !name.starts_with('.')
                && !name.contains(['/', '\\'])
                && !name.contains(char::is_control);
            is_name.then(|| name.into_owned())
        })
        .collect()
}

fn open(place: &Path) -> Option<Page> {
    // Looked at before it is opened: opening a pipe waits for somebody to write into it.
    fs::metadata(place).ok().filter(fs::Metadata::is_file)?;
    let file = File::open(place).ok()?;
    let about = file.metadata().ok().filter(fs::Metadata::is_file)?;
    let mime_type = mime_guess::from_path(place).first_or_octet_stream();
    let mime_type = match mime_type.type_().as_str() {
        // A generator writes UTF-8.
        "text" => format!("{}; charset=utf-8", mime_type.essence_str()),
        _ => mime_type.essence_str().to_owned(),
    };
    Some(Page {
        bytes: about.len(),
        // A file that is replaced is another one, though its size and second be the same.
        validator: format!(
            "{:x}-{:x}-{:x}.{:x}",
            about.ino(),
            about.len(),
            about.mtime(),
            about.mtime_nsec()
        ),
        mime_type,
        file,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_lies_in_the_folder_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("site");
        for inner in ["blog", ".git", "empty"] {
            fs::create_dir_all(root.join(inner)).expect("a folder");
        }
        for (file, content) in [
            ("site/index.html", "home"),
            ("site/blog/index.html", "blog"),
            ("site/a b.css", "style"),
            ("site/.env", "secret"),
            ("site/.git/config", "secret"),
            ("outside", "secret"),
        ] {
            fs::write(folder.path().join(file), content).expect("a file");
        }
        symlink(folder.path().join("outside"), root.join("out")).expect("a link");
        symlink(root.join(".env"), root.join("env")).expect("a link");
        symlink(root.join("index.html"), root.join("home")).expect("a link");
        let site = Site::open(&root, SiteAccess::Public).expect("a site");
        let found = |path: &str| match site.find(path) {
            Found::File(mut page) => {
                let mut text = String::new();
                page.file.read_to_string(&mut text).expect("text");
                text
            }
            Found::Folder => String::from("→"),
            Found::Nothing => String::new(),
        };
        for (path, expected) in [
            ("/", "home"),
            ("/index.html", "home"),
            ("/blog", "→"),
            ("/blog/", "blog"),
            ("/blog/index.html", "blog"),
            ("/a%20b.css", "style"),
            ("/home", "home"),
            ("/index.html/", ""),
            ("/empty", ""),
            ("/empty/", ""),
            ("/.env", ""),
            ("/%2eenv", ""),
            ("/.git/config", ""),
            ("/../outside", ""),
            ("/%2e%2e/outside", ""),
            ("/blog/../../outside", ""),
            ("/blog%2f..%2f..%2foutside", ""),
            ("/blog//index.html", ""),
            ("//etc/passwd", ""),
            ("/%00", ""),
            ("/out", ""),
            ("/env", ""),
            ("/%ff", ""),
        ] {
            assert_eq!(found(path), expected, "{path}");
        }
        assert!(site.not_found_page().is_none());
        assert!(Site::open(&root.join("index.html"), SiteAccess::Public).is_err());
    }
}
