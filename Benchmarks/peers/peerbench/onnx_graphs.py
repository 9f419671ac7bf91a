"""The small ONNX models of the products and of the attention core, as serialised bytes."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper


def model(nodes, inputs, output, constants, domains=()):
    """Opset 21; `inputs` and `output` are (name, type, shape)."""
    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info(*i) for i in inputs], [helper.make_tensor_value_info(*output)],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()])
    opsets = [helper.make_opsetid("", 21)] + [helper.make_opsetid(domain, 1) for domain in domains]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def element_type(array):
    return TensorProto.UINT8 if array.dtype == np.uint8 else TensorProto.INT8


def empty_call():
    """One float through Identity: what a call costs that computes nothing."""
    return model([helper.make_node("Identity", ["x"], ["y"])], [("x", TensorProto.FLOAT, [1])],
                 ("y", TensorProto.FLOAT, [1]), {})


def integer_product(x, w):
    """int32 = X·Wᵀ (MatMulInteger without zero points)."""
    return model([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], [("x", element_type(x), list(x.shape))],
                 ("y", TensorProto.INT32, [x.shape[0], w.shape[0]]), {"w": w.T})


def scales(w, factor, zero):
    rows = w.shape[0]
    return {
        "w": w.T, "xs": np.float32(1), "xz": np.uint8(0), "ws": np.full(rows, factor, np.float32),
        "wz": np.zeros(rows, np.int8), "ys": np.float32(1), "yz": np.uint8(zero),
    }


def quantised_product(x, w, factor):
    """uint8 = 128 + round(factor·X·Wᵀ) by QLinearMatMul."""
    node = helper.make_node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])
    return model([node], [("x", TensorProto.UINT8, list(x.shape))],
                 ("y", TensorProto.UINT8, [x.shape[0], w.shape[0]]), scales(w, factor, 128))


def dequantised_product(x, w, factor):
    """The same function as quantise(matmul(dequantise, dequantise)), the pattern OpenVINO turns into integers."""
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xf"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], axis=1),
        helper.make_node("MatMul", ["xf", "wf"], ["p"]),
        helper.make_node("QuantizeLinear", ["p", "ys", "yz"], ["y"]),
    ]
    return model(nodes, [("x", TensorProto.UINT8, list(x.shape))],
                 ("y", TensorProto.UINT8, [x.shape[0], w.shape[0]]), scales(w, factor, 128))


def four_bit_product(tokens, rows, depth, block, rng):
    """float = X·Wᵀ with 4-bit weights in blocks; accuracy level 4 lets onnxruntime compute in int8."""
    blocks = (depth + block - 1) // block
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=depth, N=rows, bits=4, block_size=block,
        accuracy_level=4)
    constants = {
        "w": rng.integers(0, 256, (rows, blocks, block // 2), dtype=np.uint8),
        "s": (rng.random(rows * blocks) * 0.01).astype(np.float32),
    }
    return model([node], [("x", TensorProto.FLOAT, [tokens, depth])], ("y", TensorProto.FLOAT, [tokens, rows]),
                 constants, ["com.microsoft"])


def integer_attention(batch, heads, tokens, width):
    """softmax(q·kᵀ)·v with both products in integers; keys come transposed, probabilities are 8-bit codes."""
    nodes = [
        helper.make_node("MatMulInteger", ["q", "k", "qz"], ["si"]),
        helper.make_node("Cast", ["si"], ["sf"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["sf", "score"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"], axis=-1),
        helper.make_node("QuantizeLinear", ["p", "step", "pz"], ["pc"]),
        helper.make_node("MatMulInteger", ["pc", "v", "pz"], ["oi"]),
        helper.make_node("Cast", ["oi"], ["of"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["of", "out"], ["y"]),
    ]
    inputs = [
        ("q", TensorProto.UINT8, [batch, heads, tokens, width]),
        ("k", TensorProto.INT8, [batch, heads, width, tokens]),
        ("v", TensorProto.INT8, [batch, heads, tokens, width]),
    ]
    constants = {
        "qz": np.uint8(128), "score": np.float32(1e-4), "step": np.float32(1 / 255), "pz": np.uint8(0),
        "out": np.float32(1e-4),
    }
    return model(nodes, inputs, ("y", TensorProto.FLOAT, [batch, heads, tokens, width]), constants)


