// ggml's product of Q4_0 weights (repacked layout) and float activations behind a few C functions, for ctypes.
//
// ggml quantises the activations to Q8_0 on the fly: blocks of 32 int8 codes with a scale each. float in, float out.
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {
std::string last_error;

ggml_backend_buffer_type_t repacked_buffer_type(ggml_backend_t backend) {
  ggml_backend_dev_t device = ggml_backend_get_device(backend);
  ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(device);
  auto list = (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(
      registry, "ggml_backend_dev_get_extra_bufts");
  if (!list) return nullptr;
  for (ggml_backend_buffer_type_t *type = list(device); type && *type; type++)
    if (std::strstr(ggml_backend_buft_name(*type), "REPACK")) return *type;
  return nullptr;
}

struct product {
  ggml_backend_t backend = nullptr;
  ggml_context *weight_context = nullptr, *value_context = nullptr;
  ggml_backend_buffer_t weight_buffer = nullptr, value_buffer = nullptr;
  ggml_tensor *output = nullptr;
  ggml_cgraph *graph = nullptr;

  /// Empty on success, else why not.
  std::string build(int tokens, int rows, int depth, const float *activations, const float *weights, int threads) {
    if (depth % ggml_blck_size(GGML_TYPE_Q4_0)) return "the depth is no multiple of a block";
    ggml_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    backend = ggml_backend_cpu_init();
    ggml_backend_cpu_set_n_threads(backend, threads);
    ggml_backend_buffer_type_t repacked = repacked_buffer_type(backend);
    if (!repacked) return "this build has no repacked layout";
    const ggml_init_params parameters{ggml_tensor_overhead() * 16 + ggml_graph_overhead(), nullptr, true};
    weight_context = ggml_init(parameters);
    value_context = ggml_init(parameters);
    ggml_tensor *w = ggml_new_tensor_2d(weight_context, GGML_TYPE_Q4_0, depth, rows);
    ggml_tensor *x = ggml_new_tensor_2d(value_context, GGML_TYPE_F32, depth, tokens);
    output = ggml_mul_mat(value_context, w, x);
    weight_buffer = ggml_backend_alloc_ctx_tensors_from_buft(weight_context, repacked);
    value_buffer = ggml_backend_alloc_ctx_tensors_from_buft(value_context, ggml_backend_cpu_buffer_type());
    if (!weight_buffer || !value_buffer || !w->extra || !ggml_backend_supports_op(backend, output))
      return "the repacked layout does not serve this product on this CPU";
    ggml_backend_buffer_set_usage(weight_buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    std::vector<uint8_t> codes(ggml_row_size(GGML_TYPE_Q4_0, depth) * rows);
    ggml_quantize_chunk(GGML_TYPE_Q4_0, weights, codes.data(), 0, rows, depth, nullptr);
    ggml_backend_tensor_set(w, codes.data(), 0, codes.size());
    ggml_backend_tensor_set(x, activations, 0, size_t(tokens) * depth * sizeof(float));
    graph = ggml_new_graph(value_context);
    ggml_build_forward_expand(graph, output);
    return "";
  }

  ~product() {
    if (weight_buffer) ggml_backend_buffer_free(weight_buffer);
    if (value_buffer) ggml_backend_buffer_free(value_buffer);
    if (weight_context) ggml_free(weight_context);
    if (value_context) ggml_free(value_context);
    if (backend) ggml_backend_free(backend);
  }
};
}  // namespace

extern "C" {
const char *peer_version() { return ggml_version(); }

const char *peer_error() { return last_error.c_str(); }

void *peer_product(int tokens, int rows, int depth, const float *activations, const float *weights, int threads) {
  auto made = std::make_unique<product>();
  last_error = made->build(tokens, rows, depth, activations, weights, threads);
  return last_error.empty() ? made.release() : nullptr;
}

int peer_run(void *handle, int repeats) {
  auto *p = static_cast<product *>(handle);
  for (int i = 0; i < repeats; i++) {
    if (ggml_backend_graph_compute(p->backend, p->graph) != GGML_STATUS_SUCCESS) {
      last_error = "the graph did not run";
      return -1;
    }
  }
  return 0;
}

void peer_result(void *handle, void *target, size_t bytes) {
  ggml_backend_tensor_get(static_cast<product *>(handle)->output, target, 0, bytes);
}

void peer_free(void *handle) { delete static_cast<product *>(handle); }
}
