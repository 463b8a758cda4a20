//! The protobuf messages of tables and scans.

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion_proto::protobuf;
use floe::IpcLimits;

use crate::error::failed;
use crate::options::FloeOptions;
use crate::table::FloeTable;

/// The mark that what is floe's begins with. As protobuf it would be a field of wire type 6, which there is not.
pub(crate) const KIND: &[u8] = b"floe1\n";

/// A scan.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ScanNode {
    #[prost(message, optional, tag = "1")]
    pub(crate) conf: Option<protobuf::FileScanExecConf>,
    #[prost(message, optional, tag = "2")]
    pub(crate) predicate: Option<protobuf::PhysicalExprNode>,
    #[prost(message, optional, tag = "3")]
    pub(crate) options: Option<OptionsNode>,
}

/// A table.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct TableNode {
    #[prost(message, repeated, tag = "1")]
    pub(crate) paths: Vec<PathNode>,
    #[prost(string, tag = "2")]
    pub(crate) extension: String,
    /// The keys of folders.
    #[prost(message, optional, tag = "3")]
    pub(crate) keys: Option<protobuf::Schema>,
    /// The columns of the files.
    #[prost(message, optional, tag = "4")]
    pub(crate) files: Option<protobuf::Schema>,
    #[prost(message, optional, tag = "5")]
    pub(crate) options: Option<OptionsNode>,
}

impl TableNode {
    pub(crate) fn of(table: &FloeTable) -> Result<Self> {
        let listing = table.listing_options();
        let keys = listing.table_partition_cols.iter();
        let keys =
            Schema::new(keys.map(|(name, key)| Field::new(name, key.clone(), true)).collect::<Vec<_>>());
        Ok(Self {
            paths: table.paths().iter().map(PathNode::of).collect(),
            extension: listing.file_extension.clone(),
            keys: Some((&keys).try_into()?),
            files: Some(table.file_schema.as_ref().try_into()?),
            options: Some(OptionsNode::of(&table.options)),
        })
    }
}

/// A URL, and the pattern of the names below it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PathNode {
    #[prost(string, tag = "1")]
    url: String,
    #[prost(string, optional, tag = "2")]
    glob: Option<String>,
}

impl PathNode {
    fn of(path: &ListingTableUrl) -> Self {
        Self {
            url: path.as_str().to_owned(),
            glob: path.get_glob().as_ref().map(|glob| glob.as_str().to_owned()),
        }
    }

    pub(crate) fn path(self) -> Result<ListingTableUrl> {
        let path = ListingTableUrl::parse(&self.url)?;
        match self.glob {
            Some(glob) => path.with_glob(&glob),
            None => Ok(path),
        }
    }
}

/// The options of a format.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OptionsNode {
    #[prost(bool, tag = "1")]
    statistics: bool,
    #[prost(uint64, tag = "2")]
    tail_bytes: u64,
    #[prost(uint64, tag = "3")]
    gap_bytes: u64,
    #[prost(string, tag = "4")]
    extension: String,
    /// In the order in which `IpcLimits` declares them.
    #[prost(uint64, repeated, tag = "5")]
    limits: Vec<u64>,
}

impl OptionsNode {
    pub(crate) fn of(options: &FloeOptions) -> Self {
        let FloeOptions { statistics, tail_bytes, gap_bytes, extension, limits } = options.clone();
        let IpcLimits {
            max_schema_depth,
            max_schema_nodes,
            max_metadata_bytes,
            max_buffers,
            max_buffer_bytes,
            max_total_bytes,
            max_amplification,
            amplification_floor,
            max_unbacked_rows,
        } = limits;
        let limits = vec![
            max_schema_depth as u64,
            max_schema_nodes as u64,
            max_metadata_bytes as u64,
            max_buffers as u64,
            max_buffer_bytes,
            max_total_bytes,
            max_amplification,
            amplification_floor,
            max_unbacked_rows as u64,
        ];
        Self { statistics, tail_bytes, gap_bytes, extension, limits }
    }

    pub(crate) fn options(self) -> Result<FloeOptions> {
        let Self { statistics, tail_bytes, gap_bytes, extension, limits } = self;
        let [depth, nodes, metadata, buffers, buffer_bytes, total_bytes, amplification, floor, rows] =
            limits[..]
        else {
            return Err(failed(format!("a plan has {} limits, and 9 were expected", limits.len())));
        };
        let count = |limit: u64| usize::try_from(limit).map_err(|e| DataFusionError::External(Box::new(e)));
        let limits = IpcLimits {
            max_schema_depth: count(depth)?,
            max_schema_nodes: count(nodes)?,
            max_metadata_bytes: count(metadata)?,
            max_buffers: count(buffers)?,
            max_buffer_bytes: buffer_bytes,
            max_total_bytes: total_bytes,
            max_amplification: amplification,
            amplification_floor: floor,
            max_unbacked_rows: count(rows)?,
        };
        Ok(FloeOptions { statistics, tail_bytes, gap_bytes, extension, limits })
    }
}
