//! The messages of graphs: graph.proto, node_def.proto, attr_value.proto, function.proto, tensor.proto and
//! what they need (TensorFlow 2.20).

use crate::protobuf::Type::{Bytes, Eight, Four, Message, Name, Text, Varint};
use crate::protobuf::{Schema, many, one};

pub(super) static OP_LIST: Schema =
    Schema { name: "OpList", fields: &[many(1, "op", Message(&OP_DEF))] };

static OP_DEF: Schema = Schema {
    name: "OpDef",
    fields: &[
        one(1, "name", Name).kept(),
        many(2, "input_arg", Message(&OP_DEF_ARG_DEF)),
        many(3, "output_arg", Message(&OP_DEF_ARG_DEF)),
        many(4, "attr", Message(&OP_DEF_ATTR_DEF)),
        one(5, "summary", Text),
        one(6, "description", Text),
        one(8, "deprecation", Message(&OP_DEPRECATION)),
        one(16, "is_aggregate", Varint),
        one(17, "is_stateful", Varint),
        one(18, "is_commutative", Varint),
        one(19, "allows_uninitialized_input", Varint),
        many(20, "control_output", Name),
        one(21, "is_distributed_communication", Varint),
    ],
};

static OP_DEF_ARG_DEF: Schema = Schema {
    name: "OpDef.ArgDef",
    fields: &[
        one(1, "name", Name),
        one(2, "description", Text),
        one(3, "type", Varint),
        one(4, "type_attr", Name),
        one(5, "number_attr", Name),
        one(6, "type_list_attr", Name),
        many(7, "handle_data", Message(&RESOURCE_HANDLE_PROTO_DTYPE_AND_SHAPE)),
        one(16, "is_ref", Varint),
        one(17, "experimental_full_type", Message(&FULL_TYPE_DEF)),
    ],
};

static RESOURCE_HANDLE_PROTO_DTYPE_AND_SHAPE: Schema = Schema {
    name: "ResourceHandleProto.DtypeAndShape",
    fields: &[one(1, "dtype", Varint), one(2, "shape", Message(&TENSOR_SHAPE_PROTO))],
};

pub(super) static TENSOR_SHAPE_PROTO: Schema = Schema {
    name: "TensorShapeProto",
    fields: &[
        many(2, "dim", Message(&TENSOR_SHAPE_PROTO_DIM)).kept(),
        one(3, "unknown_rank", Varint).kept(),
    ],
};

static TENSOR_SHAPE_PROTO_DIM: Schema = Schema {
    name: "TensorShapeProto.Dim",
    fields: &[one(1, "size", Varint).kept(), one(2, "name", Name)],
};

static FULL_TYPE_DEF: Schema = Schema {
    name: "FullTypeDef",
    fields: &[
        one(1, "type_id", Varint),
        many(2, "args", Message(&FULL_TYPE_DEF)),
        one(3, "s", Name).of(1),
        one(4, "i", Varint).of(1),
    ],
};

static OP_DEF_ATTR_DEF: Schema = Schema {
    name: "OpDef.AttrDef",
    fields: &[
        one(1, "name", Name),
        one(2, "type", Name),
        one(3, "default_value", Message(&ATTR_VALUE)),
        one(4, "description", Text),
        one(5, "has_minimum", Varint),
        one(6, "minimum", Varint),
        one(7, "allowed_values", Message(&ATTR_VALUE)),
    ],
};

static ATTR_VALUE: Schema = Schema {
    name: "AttrValue",
    fields: &[
        one(1, "list", Message(&ATTR_VALUE_LIST_VALUE)).of(1),
        one(2, "s", Bytes).of(1),
        one(3, "i", Varint).of(1),
        one(4, "f", Four).of(1),
        one(5, "b", Varint).of(1),
        one(6, "type", Varint).of(1),
        one(7, "shape", Message(&TENSOR_SHAPE_PROTO)).of(1),
        one(8, "tensor", Message(&TENSOR_PROTO)).of(1),
        one(9, "placeholder", Name).of(1),
        one(10, "func", Message(&NAME_ATTR_LIST)).of(1),
    ],
};

pub(super) static TENSOR_PROTO: Schema = Schema {
    name: "TensorProto",
    fields: &[
        one(1, "dtype", Varint).kept(),
        one(2, "tensor_shape", Message(&TENSOR_SHAPE_PROTO)).kept(),
        one(3, "version_number", Varint),
        one(4, "tensor_content", Bytes).sized(),
        many(5, "float_val", Four).sized(),
        many(6, "double_val", Eight).sized(),
        many(7, "int_val", Varint).sized(),
        many(8, "string_val", Bytes).sized(),
        many(9, "scomplex_val", Four).sized(),
        many(10, "int64_val", Varint).sized(),
        many(11, "bool_val", Varint).sized(),
        many(12, "dcomplex_val", Eight).sized(),
        many(13, "half_val", Varint).sized(),
        many(14, "resource_handle_val", Message(&RESOURCE_HANDLE_PROTO)),
        many(15, "variant_val", Message(&VARIANT_TENSOR_DATA_PROTO)),
        many(16, "uint32_val", Varint).sized(),
        many(17, "uint64_val", Varint).sized(),
        one(18, "float8_val", Bytes).sized(),
    ],
};

static RESOURCE_HANDLE_PROTO: Schema = Schema {
    name: "ResourceHandleProto",
    fields: &[
        one(1, "device", Name),
        one(2, "container", Name),
        one(3, "name", Name),
        one(4, "hash_code", Varint),
        one(5, "maybe_type_name", Name),
        many(6, "dtypes_and_shapes", Message(&RESOURCE_HANDLE_PROTO_DTYPE_AND_SHAPE)),
    ],
};

static VARIANT_TENSOR_DATA_PROTO: Schema = Schema {
    name: "VariantTensorDataProto",
    fields: &[
        one(1, "type_name", Name),
        one(2, "metadata", Bytes),
        many(3, "tensors", Message(&TENSOR_PROTO)),
    ],
};

static ATTR_VALUE_LIST_VALUE: Schema = Schema {
    name: "AttrValue.ListValue",
    fields: &[
        many(2, "s", Bytes),
        many(3, "i", Varint),
        many(4, "f", Four),
        many(5, "b", Varint),
        many(6, "type", Varint),
        many(7, "shape", Message(&TENSOR_SHAPE_PROTO)),
        many(8, "tensor", Message(&TENSOR_PROTO)),
        many(9, "func", Message(&NAME_ATTR_LIST)),
    ],
};

static NAME_ATTR_LIST: Schema = Schema {
    name: "NameAttrList",
    fields: &[one(1, "name", Name).kept(), many(2, "attr", Message(&NAME_ATTR_LIST_ATTR_ENTRY))],
};

static NAME_ATTR_LIST_ATTR_ENTRY: Schema = Schema {
    name: "NameAttrList.AttrEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&ATTR_VALUE))],
};

static OP_DEPRECATION: Schema = Schema {
    name: "OpDeprecation",
    fields: &[one(1, "version", Varint), one(2, "explanation", Text)],
};

pub(super) static GRAPH_DEF: Schema = Schema {
    name: "GraphDef",
    fields: &[
        many(1, "node", Message(&NODE_DEF)),
        one(2, "library", Message(&FUNCTION_DEF_LIBRARY)),
        one(3, "version", Varint),
        one(4, "versions", Message(&VERSION_DEF)),
        one(5, "debug_info", Message(&GRAPH_DEBUG_INFO)),
    ],
};

static NODE_DEF: Schema = Schema {
    name: "NodeDef",
    fields: &[
        one(1, "name", Name).kept(),
        one(2, "op", Name).kept(),
        many(3, "input", Name),
        one(4, "device", Name),
        many(5, "attr", Message(&NODE_DEF_ATTR_ENTRY)).kept(),
        one(6, "experimental_debug_info", Message(&NODE_DEF_EXPERIMENTAL_DEBUG_INFO)),
        one(7, "experimental_type", Message(&FULL_TYPE_DEF)),
    ],
};

static NODE_DEF_ATTR_ENTRY: Schema = Schema {
    name: "NodeDef.AttrEntry",
    fields: &[one(1, "key", Name).kept(), one(2, "value", Message(&ATTR_VALUE))],
};

static NODE_DEF_EXPERIMENTAL_DEBUG_INFO: Schema = Schema {
    name: "NodeDef.ExperimentalDebugInfo",
    fields: &[many(1, "original_node_names", Name), many(2, "original_func_names", Name)],
};

pub(super) static VERSION_DEF: Schema = Schema {
    name: "VersionDef",
    fields: &[
        one(1, "producer", Varint),
        one(2, "min_consumer", Varint),
        many(3, "bad_consumers", Varint),
    ],
};

static FUNCTION_DEF_LIBRARY: Schema = Schema {
    name: "FunctionDefLibrary",
    fields: &[
        many(1, "function", Message(&FUNCTION_DEF)),
        many(2, "gradient", Message(&GRADIENT_DEF)),
        many(3, "registered_gradients", Message(&REGISTERED_GRADIENT)),
    ],
};

static FUNCTION_DEF: Schema = Schema {
    name: "FunctionDef",
    fields: &[
        one(1, "signature", Message(&OP_DEF)).kept(),
        many(3, "node_def", Message(&NODE_DEF)),
        many(4, "ret", Message(&FUNCTION_DEF_RET_ENTRY)),
        many(5, "attr", Message(&FUNCTION_DEF_ATTR_ENTRY)),
        many(6, "control_ret", Message(&FUNCTION_DEF_CONTROL_RET_ENTRY)),
        many(7, "arg_attr", Message(&FUNCTION_DEF_ARG_ATTR_ENTRY)),
        many(8, "resource_arg_unique_id", Message(&FUNCTION_DEF_RESOURCE_ARG_UNIQUE_ID_ENTRY)),
    ],
};

static FUNCTION_DEF_ATTR_ENTRY: Schema = Schema {
    name: "FunctionDef.AttrEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&ATTR_VALUE))],
};

static FUNCTION_DEF_ARG_ATTR_ENTRY: Schema = Schema {
    name: "FunctionDef.ArgAttrEntry",
    fields: &[one(1, "key", Varint), one(2, "value", Message(&FUNCTION_DEF_ARG_ATTRS))],
};

static FUNCTION_DEF_ARG_ATTRS: Schema = Schema {
    name: "FunctionDef.ArgAttrs",
    fields: &[many(1, "attr", Message(&FUNCTION_DEF_ARG_ATTRS_ATTR_ENTRY))],
};

static FUNCTION_DEF_ARG_ATTRS_ATTR_ENTRY: Schema = Schema {
    name: "FunctionDef.ArgAttrs.AttrEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&ATTR_VALUE))],
};

static FUNCTION_DEF_RESOURCE_ARG_UNIQUE_ID_ENTRY: Schema = Schema {
    name: "FunctionDef.ResourceArgUniqueIdEntry",
    fields: &[one(1, "key", Varint), one(2, "value", Varint)],
};

static FUNCTION_DEF_RET_ENTRY: Schema =
    Schema { name: "FunctionDef.RetEntry", fields: &[one(1, "key", Name), one(2, "value", Name)] };

static FUNCTION_DEF_CONTROL_RET_ENTRY: Schema = Schema {
    name: "FunctionDef.ControlRetEntry",
    fields: &[one(1, "key", Name), one(2, "value", Name)],
};

static GRADIENT_DEF: Schema = Schema {
    name: "GradientDef",
    fields: &[one(1, "function_name", Name), one(2, "gradient_func", Name).kept()],
};

static REGISTERED_GRADIENT: Schema = Schema {
    name: "RegisteredGradient",
    fields: &[one(1, "gradient_func", Name).kept(), one(2, "registered_op_type", Name)],
};

static GRAPH_DEBUG_INFO: Schema = Schema {
    name: "GraphDebugInfo",
    fields: &[
        many(1, "files", Name),
        many(2, "traces", Message(&GRAPH_DEBUG_INFO_TRACES_ENTRY)),
        many(4, "frames_by_id", Message(&GRAPH_DEBUG_INFO_FRAMES_BY_ID_ENTRY)),
        many(5, "name_to_trace_id", Message(&GRAPH_DEBUG_INFO_NAME_TO_TRACE_ID_ENTRY)),
        many(6, "traces_by_id", Message(&GRAPH_DEBUG_INFO_TRACES_BY_ID_ENTRY)),
    ],
};

static GRAPH_DEBUG_INFO_FRAMES_BY_ID_ENTRY: Schema = Schema {
    name: "GraphDebugInfo.FramesByIdEntry",
    fields: &[one(1, "key", Eight), one(2, "value", Message(&GRAPH_DEBUG_INFO_FILE_LINE_COL))],
};

static GRAPH_DEBUG_INFO_FILE_LINE_COL: Schema = Schema {
    name: "GraphDebugInfo.FileLineCol",
    fields: &[
        one(1, "file_index", Varint),
        one(2, "line", Varint),
        one(3, "col", Varint),
        one(4, "func", Name),
        one(5, "code", Text),
    ],
};

static GRAPH_DEBUG_INFO_TRACES_BY_ID_ENTRY: Schema = Schema {
    name: "GraphDebugInfo.TracesByIdEntry",
    fields: &[one(1, "key", Eight), one(2, "value", Message(&GRAPH_DEBUG_INFO_STACK_TRACE))],
};

static GRAPH_DEBUG_INFO_STACK_TRACE: Schema = Schema {
    name: "GraphDebugInfo.StackTrace",
    fields: &[
        many(1, "file_line_cols", Message(&GRAPH_DEBUG_INFO_FILE_LINE_COL)),
        many(2, "frame_id", Eight),
    ],
};

static GRAPH_DEBUG_INFO_TRACES_ENTRY: Schema = Schema {
    name: "GraphDebugInfo.TracesEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&GRAPH_DEBUG_INFO_STACK_TRACE))],
};

static GRAPH_DEBUG_INFO_NAME_TO_TRACE_ID_ENTRY: Schema = Schema {
    name: "GraphDebugInfo.NameToTraceIdEntry",
    fields: &[one(1, "key", Name), one(2, "value", Eight)],
};
