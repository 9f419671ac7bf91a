// Integer matmul of oneDNN (C++ API of version 2 or 3) behind four C functions, for ctypes.
//
// Weights are reordered once into the layout oneDNN chooses, as an application would keep them. Forms: int32
// accumulators, or int8 requantised with one scale per output channel.
#include <omp.h>
#include <cstdio>
#include <cstring>
#include <dnnl.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

using namespace dnnl;
using dt = memory::data_type;
using tag = memory::format_tag;

namespace {
std::string last_error;

struct product {
  engine cpu{engine::kind::cpu, 0};
  stream queue{cpu};
  matmul primitive;
  memory output;
  std::unordered_map<int, memory> arguments;

  product(int tokens, int rows, int depth, const void *activations, bool is_unsigned, const int8_t *weights,
          bool requantise, float factor) {
    const dt input_type = is_unsigned ? dt::u8 : dt::s8;
    const memory::desc input_desc({tokens, depth}, input_type, tag::ab);
    const memory::desc any_weights({depth, rows}, dt::s8, tag::any);
    const memory::desc given_weights({depth, rows}, dt::s8, tag::ba);  // rows × depth in memory
    const memory::desc output_desc({tokens, rows}, requantise ? dt::s8 : dt::s32, tag::ab);
    const std::vector<float> factors(rows, factor);
    primitive_attr attributes;
#if DNNL_VERSION_MAJOR >= 3
    if (requantise) attributes.set_scales_mask(DNNL_ARG_WEIGHTS, 1 << 1);
    const matmul::primitive_desc desc(cpu, input_desc, any_weights, output_desc, attributes);
#else
    if (requantise) attributes.set_output_scales(1 << 1, factors);
    const matmul::primitive_desc desc(matmul::desc(input_desc, any_weights, output_desc), attributes, cpu);
#endif
    primitive = matmul(desc);
    memory input(input_desc, cpu), plain(given_weights, cpu), packed(desc.weights_desc(), cpu);
    output = memory(output_desc, cpu);
    std::memcpy(input.get_data_handle(), activations, size_t(tokens) * depth);
    std::memcpy(plain.get_data_handle(), weights, size_t(rows) * depth);
    reorder(plain, packed).execute(queue, plain, packed);
    queue.wait();
    arguments = {{DNNL_ARG_SRC, input}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, output}};
#if DNNL_VERSION_MAJOR >= 3
    if (requantise) {
      memory scales(memory::desc({rows}, dt::f32, tag::a), cpu);
      std::memcpy(scales.get_data_handle(), factors.data(), factors.size() * sizeof(float));
      arguments[DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS] = scales;
    }
#endif
  }

  void run(int repeats) {
    for (int i = 0; i < repeats; i++) {
      primitive.execute(queue, arguments);
      queue.wait();
    }
  }
};
}  // namespace

extern "C" {
const char *peer_version() {
  static char text[32];
  const dnnl_version_t *v = dnnl_version();
  std::snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
  return text;
}

const char *peer_error() { return last_error.c_str(); }

void *peer_product(int tokens, int rows, int depth, const void *activations, int is_unsigned, const int8_t *weights,
                   int requantise, float factor, int threads) {
  try {
    omp_set_num_threads(threads);
    return new product(tokens, rows, depth, activations, is_unsigned != 0, weights, requantise != 0, factor);
  } catch (const std::exception &e) {
    last_error = e.what();
    return nullptr;
  }
}

int peer_run(void *handle, int repeats) {
  try {
    static_cast<product *>(handle)->run(repeats);
    return 0;
  } catch (const std::exception &e) {
    last_error = e.what();
    return -1;
  }
}

void peer_result(void *handle, void *target, size_t bytes) {
  std::memcpy(target, static_cast<product *>(handle)->output.get_data_handle(), bytes);
}

void peer_free(void *handle) { delete static_cast<product *>(handle); }
}
