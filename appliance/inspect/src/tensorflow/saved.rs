//! The messages around graphs: saved_model.proto, meta_graph.proto, saved_object_graph.proto,
//! struct.proto and what they need (TensorFlow 2.20).

use crate::protobuf::Type::{Bytes, Eight, Four, Message, Name, Varint};
use crate::protobuf::{Schema, many, one};
use crate::tensorflow::graph::{GRAPH_DEF, OP_LIST, TENSOR_PROTO, TENSOR_SHAPE_PROTO, VERSION_DEF};

pub(super) static SAVED_MODEL: Schema = Schema {
    name: "SavedModel",
    fields: &[
        one(1, "saved_model_schema_version", Varint).kept(),
        many(2, "meta_graphs", Message(&META_GRAPH_DEF)).sized(),
    ],
};

pub(super) static META_GRAPH_DEF: Schema = Schema {
    name: "MetaGraphDef",
    fields: &[
        one(1, "meta_info_def", Message(&META_GRAPH_DEF_META_INFO_DEF)),
        one(2, "graph_def", Message(&GRAPH_DEF)).sized(),
        one(3, "saver_def", Message(&SAVER_DEF)),
        many(4, "collection_def", Message(&META_GRAPH_DEF_COLLECTION_DEF_ENTRY)),
        many(5, "signature_def", Message(&META_GRAPH_DEF_SIGNATURE_DEF_ENTRY)),
        many(6, "asset_file_def", Message(&ASSET_FILE_DEF)),
        one(7, "object_graph_def", Message(&SAVED_OBJECT_GRAPH)),
    ],
};

static META_GRAPH_DEF_META_INFO_DEF: Schema = Schema {
    name: "MetaGraphDef.MetaInfoDef",
    fields: &[
        one(1, "meta_graph_version", Name),
        one(2, "stripped_op_list", Message(&OP_LIST)),
        one(3, "any_info", Message(&ANY)),
        many(4, "tags", Name).kept(),
        one(5, "tensorflow_version", Name).kept(),
        one(6, "tensorflow_git_version", Name),
        one(7, "stripped_default_attrs", Varint),
        many(8, "function_aliases", Message(&META_INFO_DEF_FUNCTION_ALIASES_ENTRY)),
    ],
};

static ANY: Schema = Schema {
    name: "Any",
    fields: &[one(1, "type_url", Name).kept(), one(2, "value", Bytes).kept()],
};

static META_INFO_DEF_FUNCTION_ALIASES_ENTRY: Schema = Schema {
    name: "MetaGraphDef.MetaInfoDef.FunctionAliasesEntry",
    fields: &[one(1, "key", Name), one(2, "value", Name)],
};

static SAVER_DEF: Schema = Schema {
    name: "SaverDef",
    fields: &[
        one(1, "filename_tensor_name", Name),
        one(2, "save_tensor_name", Name),
        one(3, "restore_op_name", Name),
        one(4, "max_to_keep", Varint),
        one(5, "sharded", Varint),
        one(6, "keep_checkpoint_every_n_hours", Four),
        one(7, "version", Varint),
    ],
};

static META_GRAPH_DEF_COLLECTION_DEF_ENTRY: Schema = Schema {
    name: "MetaGraphDef.CollectionDefEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&COLLECTION_DEF))],
};

static COLLECTION_DEF: Schema = Schema {
    name: "CollectionDef",
    fields: &[
        one(1, "node_list", Message(&COLLECTION_DEF_NODE_LIST)).of(1),
        one(2, "bytes_list", Message(&COLLECTION_DEF_BYTES_LIST)).of(1),
        one(3, "int64_list", Message(&COLLECTION_DEF_INT64_LIST)).of(1),
        one(4, "float_list", Message(&COLLECTION_DEF_FLOAT_LIST)).of(1),
        one(5, "any_list", Message(&COLLECTION_DEF_ANY_LIST)).of(1),
    ],
};

static COLLECTION_DEF_NODE_LIST: Schema =
    Schema { name: "CollectionDef.NodeList", fields: &[many(1, "value", Name)] };

static COLLECTION_DEF_BYTES_LIST: Schema =
    Schema { name: "CollectionDef.BytesList", fields: &[many(1, "value", Bytes)] };

static COLLECTION_DEF_INT64_LIST: Schema =
    Schema { name: "CollectionDef.Int64List", fields: &[many(1, "value", Varint)] };

static COLLECTION_DEF_FLOAT_LIST: Schema =
    Schema { name: "CollectionDef.FloatList", fields: &[many(1, "value", Four)] };

static COLLECTION_DEF_ANY_LIST: Schema =
    Schema { name: "CollectionDef.AnyList", fields: &[many(1, "value", Message(&ANY))] };

static META_GRAPH_DEF_SIGNATURE_DEF_ENTRY: Schema = Schema {
    name: "MetaGraphDef.SignatureDefEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&SIGNATURE_DEF))],
};

static SIGNATURE_DEF: Schema = Schema {
    name: "SignatureDef",
    fields: &[
        many(1, "inputs", Message(&SIGNATURE_DEF_INPUTS_ENTRY)),
        many(2, "outputs", Message(&SIGNATURE_DEF_OUTPUTS_ENTRY)),
        one(3, "method_name", Name),
        many(4, "defaults", Message(&SIGNATURE_DEF_DEFAULTS_ENTRY)),
    ],
};

static SIGNATURE_DEF_INPUTS_ENTRY: Schema = Schema {
    name: "SignatureDef.InputsEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&TENSOR_INFO))],
};

static TENSOR_INFO: Schema = Schema {
    name: "TensorInfo",
    fields: &[
        one(1, "name", Name).of(1),
        one(2, "dtype", Varint),
        one(3, "tensor_shape", Message(&TENSOR_SHAPE_PROTO)),
        one(4, "coo_sparse", Message(&TENSOR_INFO_COO_SPARSE)).of(1),
        one(5, "composite_tensor", Message(&TENSOR_INFO_COMPOSITE_TENSOR)).of(1),
    ],
};

static TENSOR_INFO_COO_SPARSE: Schema = Schema {
    name: "TensorInfo.CooSparse",
    fields: &[
        one(1, "values_tensor_name", Name),
        one(2, "indices_tensor_name", Name),
        one(3, "dense_shape_tensor_name", Name),
    ],
};

static TENSOR_INFO_COMPOSITE_TENSOR: Schema = Schema {
    name: "TensorInfo.CompositeTensor",
    fields: &[
        one(1, "type_spec", Message(&TYPE_SPEC_PROTO)),
        many(2, "components", Message(&TENSOR_INFO)),
    ],
};

static TYPE_SPEC_PROTO: Schema = Schema {
    name: "TypeSpecProto",
    fields: &[
        one(1, "type_spec_class", Varint),
        one(2, "type_state", Message(&STRUCTURED_VALUE)),
        one(3, "type_spec_class_name", Name),
        one(4, "num_flat_components", Varint),
    ],
};

static STRUCTURED_VALUE: Schema = Schema {
    name: "StructuredValue",
    fields: &[
        one(1, "none_value", Message(&NONE_VALUE)).of(1),
        one(11, "float64_value", Eight).of(1),
        one(12, "int64_value", Varint).of(1),
        one(13, "string_value", Name).of(1),
        one(14, "bool_value", Varint).of(1),
        one(31, "tensor_shape_value", Message(&TENSOR_SHAPE_PROTO)).of(1),
        one(32, "tensor_dtype_value", Varint).of(1),
        one(33, "tensor_spec_value", Message(&TENSOR_SPEC_PROTO)).of(1),
        one(34, "type_spec_value", Message(&TYPE_SPEC_PROTO)).of(1),
        one(35, "bounded_tensor_spec_value", Message(&BOUNDED_TENSOR_SPEC_PROTO)).of(1),
        one(51, "list_value", Message(&LIST_VALUE)).of(1),
        one(52, "tuple_value", Message(&TUPLE_VALUE)).of(1),
        one(53, "dict_value", Message(&DICT_VALUE)).of(1),
        one(54, "named_tuple_value", Message(&NAMED_TUPLE_VALUE)).of(1),
        one(55, "tensor_value", Message(&TENSOR_PROTO)).of(1),
        one(56, "numpy_value", Message(&TENSOR_PROTO)).of(1),
    ],
};

static NONE_VALUE: Schema = Schema { name: "NoneValue", fields: &[] };

static TENSOR_SPEC_PROTO: Schema = Schema {
    name: "TensorSpecProto",
    fields: &[
        one(1, "name", Name),
        one(2, "shape", Message(&TENSOR_SHAPE_PROTO)),
        one(3, "dtype", Varint),
    ],
};

static BOUNDED_TENSOR_SPEC_PROTO: Schema = Schema {
    name: "BoundedTensorSpecProto",
    fields: &[
        one(1, "name", Name),
        one(2, "shape", Message(&TENSOR_SHAPE_PROTO)),
        one(3, "dtype", Varint),
        one(4, "minimum", Message(&TENSOR_PROTO)),
        one(5, "maximum", Message(&TENSOR_PROTO)),
    ],
};

static LIST_VALUE: Schema =
    Schema { name: "ListValue", fields: &[many(1, "values", Message(&STRUCTURED_VALUE))] };

static TUPLE_VALUE: Schema =
    Schema { name: "TupleValue", fields: &[many(1, "values", Message(&STRUCTURED_VALUE))] };

static DICT_VALUE: Schema =
    Schema { name: "DictValue", fields: &[many(1, "fields", Message(&DICT_VALUE_FIELDS_ENTRY))] };

static DICT_VALUE_FIELDS_ENTRY: Schema = Schema {
    name: "DictValue.FieldsEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&STRUCTURED_VALUE))],
};

static NAMED_TUPLE_VALUE: Schema = Schema {
    name: "NamedTupleValue",
    fields: &[one(1, "name", Name), many(2, "values", Message(&PAIR_VALUE))],
};

static PAIR_VALUE: Schema = Schema {
    name: "PairValue",
    fields: &[one(1, "key", Name), one(2, "value", Message(&STRUCTURED_VALUE))],
};

static SIGNATURE_DEF_OUTPUTS_ENTRY: Schema = Schema {
    name: "SignatureDef.OutputsEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&TENSOR_INFO))],
};

static SIGNATURE_DEF_DEFAULTS_ENTRY: Schema = Schema {
    name: "SignatureDef.DefaultsEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&TENSOR_PROTO))],
};

static ASSET_FILE_DEF: Schema = Schema {
    name: "AssetFileDef",
    fields: &[one(1, "tensor_info", Message(&TENSOR_INFO)), one(2, "filename", Name).kept()],
};

static SAVED_OBJECT_GRAPH: Schema = Schema {
    name: "SavedObjectGraph",
    fields: &[
        many(1, "nodes", Message(&SAVED_OBJECT)),
        many(2, "concrete_functions", Message(&SAVED_OBJECT_GRAPH_CONCRETE_FUNCTIONS_ENTRY)),
    ],
};

static SAVED_OBJECT: Schema = Schema {
    name: "SavedObject",
    fields: &[
        many(1, "children", Message(&OBJECT_REFERENCE)),
        many(3, "slot_variables", Message(&SLOT_VARIABLE_REFERENCE)),
        one(4, "user_object", Message(&SAVED_USER_OBJECT)).of(1),
        one(5, "asset", Message(&SAVED_ASSET)).of(1),
        one(6, "function", Message(&SAVED_FUNCTION)).of(1),
        one(7, "variable", Message(&SAVED_VARIABLE)).of(1),
        one(8, "bare_concrete_function", Message(&SAVED_BARE_CONCRETE_FUNCTION)).of(1),
        one(9, "constant", Message(&SAVED_CONSTANT)).of(1),
        one(10, "resource", Message(&SAVED_RESOURCE)).of(1),
        many(11, "saveable_objects", Message(&SAVED_OBJECT_SAVEABLE_OBJECTS_ENTRY)),
        one(12, "captured_tensor", Message(&CAPTURED_TENSOR)).of(1),
        one(13, "registered_name", Name).kept(),
        one(14, "serialized_user_proto", Message(&ANY)),
        many(15, "dependencies", Message(&OBJECT_REFERENCE)),
        one(16, "registered_saver", Name).kept(),
    ],
};

static OBJECT_REFERENCE: Schema = Schema {
    name: "TrackableObjectGraph.TrackableObject.ObjectReference",
    fields: &[one(1, "node_id", Varint), one(2, "local_name", Name)],
};

static SLOT_VARIABLE_REFERENCE: Schema = Schema {
    name: "TrackableObjectGraph.TrackableObject.SlotVariableReference",
    fields: &[
        one(1, "original_variable_node_id", Varint),
        one(2, "slot_name", Name),
        one(3, "slot_variable_node_id", Varint),
    ],
};

static SAVED_USER_OBJECT: Schema = Schema {
    name: "SavedUserObject",
    fields: &[
        one(1, "identifier", Name).kept(),
        one(2, "version", Message(&VERSION_DEF)),
        one(3, "metadata", Bytes),
    ],
};

static SAVED_ASSET: Schema =
    Schema { name: "SavedAsset", fields: &[one(1, "asset_file_def_index", Varint)] };

static SAVED_FUNCTION: Schema = Schema {
    name: "SavedFunction",
    fields: &[
        many(1, "concrete_functions", Name),
        one(2, "function_spec", Message(&FUNCTION_SPEC)),
    ],
};

static FUNCTION_SPEC: Schema = Schema {
    name: "FunctionSpec",
    fields: &[
        one(1, "fullargspec", Message(&STRUCTURED_VALUE)),
        one(2, "is_method", Varint),
        one(5, "input_signature", Message(&STRUCTURED_VALUE)),
        one(6, "jit_compile", Varint),
    ],
};

static SAVED_VARIABLE: Schema = Schema {
    name: "SavedVariable",
    fields: &[
        one(1, "dtype", Varint),
        one(2, "shape", Message(&TENSOR_SHAPE_PROTO)),
        one(3, "trainable", Varint),
        one(4, "synchronization", Varint),
        one(5, "aggregation", Varint),
        one(6, "name", Name),
        one(7, "device", Name),
        many(8, "experimental_distributed_variable_components", Message(&SAVED_VARIABLE)),
    ],
};

static SAVED_BARE_CONCRETE_FUNCTION: Schema = Schema {
    name: "SavedBareConcreteFunction",
    fields: &[
        one(1, "concrete_function_name", Name),
        many(2, "argument_keywords", Name),
        one(3, "allowed_positional_arguments", Varint),
        one(4, "function_spec", Message(&FUNCTION_SPEC)),
    ],
};

static SAVED_CONSTANT: Schema =
    Schema { name: "SavedConstant", fields: &[one(1, "operation", Name)] };

static SAVED_RESOURCE: Schema = Schema { name: "SavedResource", fields: &[one(1, "device", Name)] };

static CAPTURED_TENSOR: Schema = Schema {
    name: "CapturedTensor",
    fields: &[one(1, "name", Name), one(2, "concrete_function", Name)],
};

static SAVED_OBJECT_SAVEABLE_OBJECTS_ENTRY: Schema = Schema {
    name: "SavedObject.SaveableObjectsEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&SAVEABLE_OBJECT))],
};

static SAVEABLE_OBJECT: Schema = Schema {
    name: "SaveableObject",
    fields: &[one(2, "save_function", Varint), one(3, "restore_function", Varint)],
};

static SAVED_OBJECT_GRAPH_CONCRETE_FUNCTIONS_ENTRY: Schema = Schema {
    name: "SavedObjectGraph.ConcreteFunctionsEntry",
    fields: &[one(1, "key", Name), one(2, "value", Message(&SAVED_CONCRETE_FUNCTION))],
};

static SAVED_CONCRETE_FUNCTION: Schema = Schema {
    name: "SavedConcreteFunction",
    fields: &[
        many(2, "bound_inputs", Varint),
        one(3, "canonicalized_input_signature", Message(&STRUCTURED_VALUE)),
        one(4, "output_signature", Message(&STRUCTURED_VALUE)),
    ],
};
