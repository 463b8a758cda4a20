//! The options of a catalog.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use polars_core::error::{PolarsResult, polars_bail};

use super::upload::Uploads;
use super::{Catalog, Inner};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::query::{Registry, Slots};

/// Makes a [`Catalog`].
///
/// ```
/// use std::time::Duration;
///
/// let mut limits = floe_serve::Limits::default();
/// limits.query_time = Duration::from_secs(5);
/// let catalog = floe_serve::Catalog::builder()
///     .path("data/*.arrow")
///     .token("secret")
///     .cors_origin("https://notebook.example")
///     .limits(limits)
///     .build()?;
/// # let _ = catalog;
/// # polars_core::error::PolarsResult::Ok(())
/// ```
#[derive(Default)]
#[must_use]
pub struct CatalogBuilder {
    paths: Vec<PathBuf>,
    token: Option<String>,
    origin: Option<String>,
    local_hosts_only: bool,
    upload_folder: Option<PathBuf>,
    page_folder: Option<PathBuf>,
    limits: Limits,
}

impl CatalogBuilder {
    /// Adds a file, a folder or a pattern. See [`Catalog::new`] for the tables that come of it.
    ///
    /// ```
    /// let builder = floe_serve::Catalog::builder().path("data/*.arrow");
    /// # let _ = builder;
    /// ```
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// A secret that each request has to bring, as `Authorization: Bearer TOKEN` or `?token=TOKEN`. None by default.
    ///
    /// ```
    /// let builder = floe_serve::Catalog::builder().token("secret");
    /// # let _ = builder;
    /// ```
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The origin whose pages may use the API from a browser. By default only the server's own page may.
    ///
    /// ```
    /// let builder = floe_serve::Catalog::builder().cors_origin("https://notebook.example");
    /// # let _ = builder;
    /// ```
    pub fn cors_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Refuses requests whose `Host` is neither `localhost` nor an address of loopback: a page elsewhere cannot reach a
    /// server on loopback by a name of its own. Off by default: a server behind a proxy has another name. `floe serve` turns
    /// it on when it is bound to loopback.
    ///
    /// ```
    /// let builder = floe_serve::Catalog::builder().local_hosts_only(true);
    /// # let _ = builder;
    /// ```
    pub fn local_hosts_only(mut self, local_hosts_only: bool) -> Self {
        self.local_hosts_only = local_hosts_only;
        self
    }

    /// The folder of uploads, which is made if need be. By default it is a temporary one, gone with the catalog.
    ///
    /// ```
    /// let builder = floe_serve::Catalog::builder().upload_folder("/var/lib/floe/uploads");
    /// # let _ = builder;
    /// ```
    pub fn upload_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.upload_folder = Some(folder.into());
        self
    }

    /// A folder whose files are the page, in place of the one that is built in: for those who work on the page.
    #[doc(hidden)]
    pub fn page_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.page_folder = Some(folder.into());
        self
    }

    /// The limits.
    ///
    /// ```
    /// let mut limits = floe_serve::Limits::default();
    /// limits.rows = Some(1_000_000);
    /// let builder = floe_serve::Catalog::builder().limits(limits);
    /// # let _ = builder;
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The catalog.
    ///
    /// ```
    /// let catalog = floe_serve::Catalog::builder().build()?;
    /// # let _ = catalog;
    /// # polars_core::error::PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When a path that is no pattern is not there, when the token is empty, and when the folder of uploads cannot be made.
    pub fn build(self) -> PolarsResult<Catalog> {
        let Self { paths, token, origin, local_hosts_only, upload_folder, page_folder, limits } = self;
        for path in &paths {
            if !path.exists() && !super::find::is_pattern(path) {
                polars_bail!(ComputeError: "{}: no such file or folder", path.display());
            }
        }
        if token.as_deref().is_some_and(|token| token.trim().is_empty()) {
            polars_bail!(ComputeError: "the token is empty: choose one that cannot be guessed");
        }
        let metrics = Arc::new(Metrics::default());
        let slots = Slots::new(
            limits.concurrent_queries,
            limits.queued_queries,
            limits.open_queries,
            Arc::clone(&metrics),
        );
        Ok(Catalog(Arc::new(Inner {
            roots: paths,
            frames: Mutex::default(),
            uploads: Uploads::open(upload_folder)?,
            token,
            origin,
            local_hosts_only,
            page_folder,
            slots: Arc::new(slots),
            registry: Arc::new(Registry::new(Arc::clone(&metrics))),
            limits,
            metrics,
            known_files: Mutex::default(),
            known_frames: Mutex::default(),
        })))
    }
}

impl std::fmt::Debug for CatalogBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is a secret.
        f.debug_struct("CatalogBuilder")
            .field("paths", &self.paths)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
