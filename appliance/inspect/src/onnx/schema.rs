//! The messages of onnx.proto (ONNX 1.19 and the fields that came since), and what of them is kept.
//!
//! `TensorProto.segment` is missing: no runtime reads tensors in segments, so that one who did would
//! see another tensor.

use crate::protobuf::Type::{Bytes, Eight, Four, Message, Name, Text, Varint};
use crate::protobuf::{Schema, many, one};

pub(super) static MODEL: Schema = Schema {
    name: "ModelProto",
    fields: &[
        one(1, "ir_version", Varint).kept(),
        one(2, "producer_name", Text).kept(),
        one(3, "producer_version", Text).kept(),
        one(4, "domain", Name),
        one(5, "model_version", Varint),
        one(6, "doc_string", Text),
        one(7, "graph", Message(&GRAPH)).sized(),
        many(8, "opset_import", Message(&OPERATOR_SET)).kept(),
        many(14, "metadata_props", Message(&METADATA)),
        many(20, "training_info", Message(&TRAINING)),
        many(25, "functions", Message(&FUNCTION)),
        many(26, "configuration", Message(&DEVICES)),
    ],
};

static DEVICES: Schema = Schema {
    name: "DeviceConfigurationProto",
    fields: &[one(1, "name", Name), one(2, "num_devices", Varint), many(3, "device", Name)],
};

static TRAINING: Schema = Schema {
    name: "TrainingInfoProto",
    fields: &[
        one(1, "initialization", Message(&GRAPH)),
        one(2, "algorithm", Message(&GRAPH)),
        many(3, "initialization_binding", Message(&ENTRY)),
        many(4, "update_binding", Message(&ENTRY)),
    ],
};

static OPERATOR_SET: Schema = Schema {
    name: "OperatorSetIdProto",
    fields: &[one(1, "domain", Name).kept(), one(2, "version", Varint).kept()],
};

/// A pair of names.
static ENTRY: Schema = Schema {
    name: "StringStringEntryProto",
    fields: &[one(1, "key", Name).kept(), one(2, "value", Name).kept()],
};

/// The same message where its value is for people.
static METADATA: Schema = Schema {
    name: "StringStringEntryProto",
    fields: &[one(1, "key", Name).kept(), one(2, "value", Text).kept()],
};

static FUNCTION: Schema = Schema {
    name: "FunctionProto",
    fields: &[
        one(1, "name", Name).kept(),
        many(4, "input", Name),
        many(5, "output", Name),
        many(6, "attribute", Name),
        many(7, "node", Message(&NODE)),
        one(8, "doc_string", Text),
        many(9, "opset_import", Message(&OPERATOR_SET)).kept(),
        one(10, "domain", Name).kept(),
        many(11, "attribute_proto", Message(&ATTRIBUTE)),
        many(12, "value_info", Message(&VALUE_INFO)),
        one(13, "overload", Name).kept(),
        many(14, "metadata_props", Message(&NOTE)),
    ],
};

/// A pair that nobody sees.
static NOTE: Schema = Schema {
    name: "StringStringEntryProto",
    fields: &[one(1, "key", Name), one(2, "value", Text)],
};

static GRAPH: Schema = Schema {
    name: "GraphProto",
    fields: &[
        many(1, "node", Message(&NODE)),
        one(2, "name", Name),
        many(5, "initializer", Message(&TENSOR)),
        one(10, "doc_string", Text),
        many(11, "input", Message(&VALUE_INFO)),
        many(12, "output", Message(&VALUE_INFO)),
        many(13, "value_info", Message(&VALUE_INFO)),
        many(14, "quantization_annotation", Message(&ANNOTATION)),
        many(15, "sparse_initializer", Message(&SPARSE)),
        many(16, "metadata_props", Message(&NOTE)),
    ],
};

static ANNOTATION: Schema = Schema {
    name: "TensorAnnotation",
    fields: &[
        one(1, "tensor_name", Name),
        many(2, "quant_parameter_tensor_names", Message(&ENTRY)),
    ],
};

static NODE: Schema = Schema {
    name: "NodeProto",
    fields: &[
        many(1, "input", Name),
        many(2, "output", Name),
        one(3, "name", Name).kept(),
        one(4, "op_type", Name).kept(),
        many(5, "attribute", Message(&ATTRIBUTE)).kept(),
        one(6, "doc_string", Text),
        one(7, "domain", Name).kept(),
        one(8, "overload", Name),
        many(9, "metadata_props", Message(&NOTE)),
        many(10, "device_configurations", Message(&NODE_DEVICES)),
    ],
};

static NODE_DEVICES: Schema = Schema {
    name: "NodeDeviceConfigurationProto",
    fields: &[
        one(1, "configuration_id", Name),
        many(2, "sharding_spec", Message(&SHARDING)),
        one(3, "pipeline_stage", Varint),
    ],
};

static SHARDING: Schema = Schema {
    name: "ShardingSpecProto",
    fields: &[
        one(1, "tensor_name", Name),
        many(2, "device", Varint),
        many(3, "index_to_device_group_map", Message(&DEVICE_GROUP)),
        many(4, "sharded_dim", Message(&SHARDED_DIM)),
    ],
};

static DEVICE_GROUP: Schema = Schema {
    name: "IntIntListEntryProto",
    fields: &[one(1, "key", Varint), many(2, "value", Varint)],
};

static SHARDED_DIM: Schema = Schema {
    name: "ShardedDimProto",
    fields: &[one(1, "axis", Varint), many(2, "simple_sharding", Message(&SIMPLE_SHARDING))],
};

static SIMPLE_SHARDING: Schema = Schema {
    name: "SimpleShardedDimProto",
    fields: &[
        one(1, "dim_value", Varint).of(1),
        one(2, "dim_param", Name).of(1),
        one(3, "num_shards", Varint),
    ],
};

static ATTRIBUTE: Schema = Schema {
    name: "AttributeProto",
    fields: &[
        one(1, "name", Name).kept(),
        one(2, "f", Four).sized(),
        one(3, "i", Varint).sized(),
        one(4, "s", Bytes).sized(),
        one(5, "t", Message(&TENSOR)).sized(),
        one(6, "g", Message(&GRAPH)).sized(),
        many(7, "floats", Four).sized(),
        many(8, "ints", Varint).sized(),
        many(9, "strings", Bytes).sized(),
        many(10, "tensors", Message(&TENSOR)).sized(),
        many(11, "graphs", Message(&GRAPH)).sized(),
        one(13, "doc_string", Text),
        one(14, "tp", Message(&TYPE)).sized(),
        many(15, "type_protos", Message(&TYPE)).sized(),
        one(20, "type", Varint).kept(),
        one(21, "ref_attr_name", Name).kept(),
        one(22, "sparse_tensor", Message(&SPARSE)).sized(),
        many(23, "sparse_tensors", Message(&SPARSE)).sized(),
    ],
};

static TENSOR: Schema = Schema {
    name: "TensorProto",
    fields: &[
        many(1, "dims", Varint).kept(),
        one(2, "data_type", Varint).kept(),
        many(4, "float_data", Four).sized(),
        many(5, "int32_data", Varint).sized(),
        many(6, "string_data", Bytes).sized(),
        many(7, "int64_data", Varint).sized(),
        one(8, "name", Name).kept(),
        one(9, "raw_data", Bytes).sized(),
        many(10, "double_data", Eight).sized(),
        many(11, "uint64_data", Varint).sized(),
        one(12, "doc_string", Text),
        many(13, "external_data", Message(&ENTRY)).kept(),
        one(14, "data_location", Varint).kept(),
        many(16, "metadata_props", Message(&NOTE)),
    ],
};

static SPARSE: Schema = Schema {
    name: "SparseTensorProto",
    fields: &[
        one(1, "values", Message(&TENSOR)).kept(),
        one(2, "indices", Message(&TENSOR)).kept(),
        many(3, "dims", Varint).kept(),
    ],
};

static VALUE_INFO: Schema = Schema {
    name: "ValueInfoProto",
    fields: &[
        one(1, "name", Name),
        one(2, "type", Message(&TYPE)),
        one(3, "doc_string", Text),
        many(4, "metadata_props", Message(&NOTE)),
    ],
};

static TYPE: Schema = Schema {
    name: "TypeProto",
    fields: &[
        one(1, "tensor_type", Message(&TYPE_TENSOR)).of(1),
        one(4, "sequence_type", Message(&TYPE_ELEMENT)).of(1),
        one(5, "map_type", Message(&TYPE_MAP)).of(1),
        one(6, "denotation", Name),
        one(7, "opaque_type", Message(&TYPE_OPAQUE)).of(1),
        one(8, "sparse_tensor_type", Message(&TYPE_TENSOR)).of(1),
        one(9, "optional_type", Message(&TYPE_ELEMENT)).of(1),
    ],
};

static TYPE_TENSOR: Schema = Schema {
    name: "TypeProto.Tensor",
    fields: &[one(1, "elem_type", Varint).kept(), one(2, "shape", Message(&SHAPE))],
};

static TYPE_ELEMENT: Schema =
    Schema { name: "TypeProto.Sequence", fields: &[one(1, "elem_type", Message(&TYPE))] };

static TYPE_MAP: Schema = Schema {
    name: "TypeProto.Map",
    fields: &[one(1, "key_type", Varint).kept(), one(2, "value_type", Message(&TYPE))],
};

static TYPE_OPAQUE: Schema = Schema {
    name: "TypeProto.Opaque",
    fields: &[one(1, "domain", Name).kept(), one(2, "name", Name)],
};

static SHAPE: Schema =
    Schema { name: "TensorShapeProto", fields: &[many(1, "dim", Message(&DIMENSION))] };

static DIMENSION: Schema = Schema {
    name: "TensorShapeProto.Dimension",
    fields: &[
        one(1, "dim_value", Varint).of(1),
        one(2, "dim_param", Name).of(1),
        one(3, "denotation", Name),
    ],
};
