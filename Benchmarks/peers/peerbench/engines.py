"""onnxruntime and OpenVINO: from a model to a repeatable call without copies, with a fixed number of threads."""
import numpy as np
import onnxruntime
import openvino

onnxruntime.set_default_logger_severity(3)
_core = openvino.Core()


class Call:
    """A call that can be repeated and asked for its first output."""

    def __init__(self, once, result):
        self.once, self.result = once, result

    def run(self, repeats):
        once = self.once
        for _ in range(repeats):
            once()


def ort(model, feeds, threads):
    """`model` is bytes or a path. Inputs and output are bound once; the process runs no other pool meanwhile."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, value in feeds.items():
        binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
    output = onnxruntime.OrtValue.ortvalue_from_numpy(session.run(None, feeds)[0])
    binding.bind_ortvalue_output(session.get_outputs()[0].name, output)
    return Call(lambda: session.run_with_iobinding(binding), output.numpy)


def openvino_precisions():
    """What this CPU computes natively, as OpenVINO names it: FP32, BF16, INT8, …"""
    return _core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def vino(model, feeds, threads, precision="f32", **properties):
    """`model` is bytes, a path or an openvino.Model; `feeds` by name, or a list by position."""
    if precision == "bf16" and "BF16" not in openvino_precisions():
        raise RuntimeError("this CPU has no bf16 instructions")
    graph = model if isinstance(model, openvino.Model) else _core.read_model(model)
    compiled = _core.compile_model(graph, "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision, **properties})
    request = compiled.create_infer_request()
    arrays = []  # keeps the shared memory alive
    for key, value in feeds.items() if isinstance(feeds, dict) else enumerate(feeds):
        array = np.ascontiguousarray(value)
        arrays.append(array)
        tensor = openvino.Tensor(array, shared_memory=True)
        request.set_tensor(key, tensor) if isinstance(key, str) else request.set_input_tensor(key, tensor)

    def result():
        assert arrays
        return request.get_output_tensor(0).data

    return Call(request.infer, result)


def vino_four_bit(tokens, rows, depth, group, rng):
    """float = X·Wᵀ in OpenVINO's pattern of compressed weights: int4 codes in groups, one scale a group."""
    import openvino.opset13 as op

    codes = rng.integers(0, 256, rows * depth // 2, dtype=np.uint8)
    packed = openvino.Tensor(codes, openvino.Shape([rows, depth // group, group]), openvino.Type.i4)
    scale = op.constant((rng.random((rows, depth // group, 1)) * 0.01).astype(np.float32))
    weights = op.reshape(
        op.multiply(op.convert(openvino.op.Constant(packed), "f32"), scale),
        op.constant(np.array([rows, depth], np.int64)), False)
    x = op.parameter([tokens, depth], np.float32, "x")
    return openvino.Model([op.matmul(x, weights, False, True)], [x], "four_bit")


def vino_attention(batch, heads, tokens, width):
    import openvino.opset13 as op

    inputs = [op.parameter([batch, heads, tokens, width], np.float32, name) for name in "qkv"]
    return openvino.Model([op.scaled_dot_product_attention(*inputs)], inputs, "attention")


def versions():
    return {"onnxruntime": onnxruntime.__version__, "openvino": openvino.__version__.split("-")[0]}
