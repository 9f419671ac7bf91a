// The features of each x86-64 instruction set, by name, so that a message can say what is missing.
#include "features.h"
#include <stdatomic.h>
#include <string.h>
#include "kernels.h"

/// One feature: the first set that needs it (all later sets need it too), and whether this CPU has it.
typedef struct feature {
  const char *name;
  qk_isa isa;
  unsigned operations;  ///< 0: the set itself needs it; else one bit per operation whose kernel is faster with it
  int present;
} feature;

enum { MAX_FEATURES = 16 };

static int is_x86(qk_isa isa) { return isa == QK_ISA_AVX2 || isa == QK_ISA_AVX512 || isa == QK_ISA_AVX512VNNI; }

static size_t x86_features(feature *list) {
#if defined(__x86_64__)
#define HAS(name) __builtin_cpu_supports(name) != 0
  const unsigned vbmi = 1u << QK_OPERATION_GEMM | 1u << QK_OPERATION_ATTENTION;
  const feature all[] = {
    { "avx2", QK_ISA_AVX2, 0, HAS("avx2") },
    { "fma", QK_ISA_AVX2, 0, HAS("fma") },
    { "avx512f", QK_ISA_AVX512, 0, HAS("avx512f") },
    { "avx512bw", QK_ISA_AVX512, 0, HAS("avx512bw") },
    { "avx512dq", QK_ISA_AVX512, 0, HAS("avx512dq") },
    { "avx512vl", QK_ISA_AVX512, 0, HAS("avx512vl") },
    { "avx512vnni", QK_ISA_AVX512VNNI, 0, HAS("avx512vnni") },
    { "avx512vbmi", QK_ISA_AVX512VNNI, vbmi, HAS("avx512vbmi") },
    { "avx512vbmi2", QK_ISA_AVX512VNNI, vbmi, HAS("avx512vbmi2") },
  };
#undef HAS
#else
  const feature all[] = { { "x86-64", QK_ISA_AVX2, 0, 0 } };
#endif
  _Static_assert(sizeof all <= MAX_FEATURES * sizeof *all, "list of features too short");
  memcpy(list, all, sizeof all);
  return sizeof all / sizeof *all;
}

/// Appends ",name" as far as the buffer reaches; the text stays terminated.
static void append(char *buffer, size_t size, const char *name) {
  if (buffer == NULL || size == 0) return;
  const size_t used = strlen(buffer);
  if (used > 0 && used + 1 < size) strcat(buffer, ",");
  strncat(buffer, name, size - 1 - strlen(buffer));
}

/// Lists the features of `isa` that this CPU lacks: those of the set itself when `operations` is 0, else those of these
/// operations.
static size_t absent(qk_isa isa, unsigned operations, char *buffer, size_t size) {
  feature list[MAX_FEATURES];
  const size_t count = x86_features(list);
  size_t found = 0;
  if (buffer != NULL && size > 0) buffer[0] = 0;
  for (size_t i = 0; i < count; i++) {
    const int wanted = operations == 0 ? list[i].operations == 0 : (list[i].operations & operations) != 0;
    if (list[i].isa > isa || !wanted || list[i].present) continue;
    append(buffer, size, list[i].name);
    found++;
  }
  return found;
}

int qk_has_x86_features(qk_isa isa) {
  // Asked before every kernel call, so the answer is kept. Bit 2·isa: known, bit 2·isa + 1: the answer.
  static atomic_uint kept;
  const unsigned now = atomic_load_explicit(&kept, memory_order_relaxed) >> 2 * isa;
  if (now & 1) return (int)(now >> 1 & 1);
  const unsigned answer = absent(isa, 0, NULL, 0) == 0;
  atomic_fetch_or_explicit(&kept, (2 * answer + 1) << 2 * isa, memory_order_relaxed);
  return (int)answer;
}

const char *qk_isa_missing(qk_isa isa, char *buffer, size_t size) {
  if (qk_isa_name(isa) == NULL || buffer == NULL || size == 0 || qk_isa_available(isa)) return NULL;
  if (is_x86(isa)) {
    absent(isa, 0, buffer, size);
  } else {
    buffer[0] = 0;
    append(buffer, size, "another processor family");
  }
  return buffer;
}

const char *qk_kernel_missing(qk_operation operation, qk_isa isa, char *buffer, size_t size) {
  if (qk_operation_name(operation) == NULL || buffer == NULL || size == 0) return NULL;
  if (!is_x86(isa) || !qk_isa_available(isa)) return NULL;
  return absent(isa, 1u << operation, buffer, size) > 0 ? buffer : NULL;
}
