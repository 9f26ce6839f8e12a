//! What is kept of the messages, as prost decodes it. Numbers are 64 bits wide throughout: a reader
//! that cuts them to 32 must not see another one.

/// `ModelProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Model {
    #[prost(int64, optional, tag = "1")]
    pub(super) ir_version: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub(super) producer_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) producer_version: Option<String>,
    /// How many there are.
    #[prost(uint64, optional, tag = "7")]
    pub(super) graph: Option<u64>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSet>,
}

/// `OperatorSetIdProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperatorSet {
    #[prost(string, optional, tag = "1")]
    pub(super) domain: Option<String>,
    #[prost(int64, optional, tag = "2")]
    pub(super) version: Option<i64>,
}

/// `StringStringEntryProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entry {
    #[prost(string, optional, tag = "1")]
    pub(super) key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) value: Option<String>,
}

/// `FunctionProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Function {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(message, repeated, tag = "9")]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(string, optional, tag = "10")]
    pub(super) domain: Option<String>,
    #[prost(string, optional, tag = "13")]
    pub(super) overload: Option<String>,
}

/// `NodeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(string, optional, tag = "3")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) op_type: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<AttributeName>,
    #[prost(string, optional, tag = "7")]
    pub(super) domain: Option<String>,
}

/// The name of an `AttributeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AttributeName {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
}

/// `AttributeProto`: its head, and how much is in the fields of which it has one.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Attribute {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(int64, optional, tag = "20")]
    pub(super) kind: Option<i64>,
    #[prost(string, optional, tag = "21")]
    pub(super) ref_attr_name: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(super) f: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) i: Option<u64>,
    #[prost(uint64, optional, tag = "4")]
    pub(super) s: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub(super) t: Option<u64>,
    #[prost(uint64, optional, tag = "6")]
    pub(super) g: Option<u64>,
    #[prost(uint64, optional, tag = "7")]
    pub(super) floats: Option<u64>,
    #[prost(uint64, optional, tag = "8")]
    pub(super) ints: Option<u64>,
    #[prost(uint64, optional, tag = "9")]
    pub(super) strings: Option<u64>,
    #[prost(uint64, optional, tag = "10")]
    pub(super) tensors: Option<u64>,
    #[prost(uint64, optional, tag = "11")]
    pub(super) graphs: Option<u64>,
    #[prost(uint64, optional, tag = "14")]
    pub(super) tp: Option<u64>,
    #[prost(uint64, optional, tag = "15")]
    pub(super) type_protos: Option<u64>,
    #[prost(uint64, optional, tag = "22")]
    pub(super) sparse_tensor: Option<u64>,
    #[prost(uint64, optional, tag = "23")]
    pub(super) sparse_tensors: Option<u64>,
}

/// `TensorProto`: its head, and how many values or bytes its data has.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int64, optional, tag = "2")]
    pub(super) data_type: Option<i64>,
    #[prost(uint64, optional, tag = "4")]
    pub(super) float_data: Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub(super) int32_data: Option<u64>,
    #[prost(uint64, optional, tag = "6")]
    pub(super) string_data: Option<u64>,
    #[prost(uint64, optional, tag = "7")]
    pub(super) int64_data: Option<u64>,
    #[prost(string, optional, tag = "8")]
    pub(super) name: Option<String>,
    #[prost(uint64, optional, tag = "9")]
    pub(super) raw_data: Option<u64>,
    #[prost(uint64, optional, tag = "10")]
    pub(super) double_data: Option<u64>,
    #[prost(uint64, optional, tag = "11")]
    pub(super) uint64_data: Option<u64>,
    #[prost(message, repeated, tag = "13")]
    pub(super) external_data: Vec<Entry>,
    #[prost(int64, optional, tag = "14")]
    pub(super) data_location: Option<i64>,
}

/// `SparseTensorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Sparse {
    #[prost(message, optional, tag = "1")]
    pub(super) values: Option<Tensor>,
    #[prost(message, optional, tag = "2")]
    pub(super) indices: Option<Tensor>,
    #[prost(int64, repeated, tag = "3")]
    pub(super) dims: Vec<i64>,
}

/// `TypeProto.Tensor` and `TypeProto.Map`, which both start with the type of an element.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ElementType {
    #[prost(int64, optional, tag = "1")]
    pub(super) element: Option<i64>,
}

/// `TypeProto.Opaque`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Opaque {
    #[prost(string, optional, tag = "1")]
    pub(super) domain: Option<String>,
}
