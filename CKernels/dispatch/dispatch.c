// Selection of the kernels that run: CPU detection, the forced instruction set, and the kernel table.
#include <stdatomic.h>
#include <stddef.h>
#include "features.h"
#include "kernels.h"
#if defined(__x86_64__)
#include "../arch/x86/kernels_x86.h"
#elif defined(__aarch64__)
#include "../arch/arm/kernels_arm.h"
#endif

#define NOT_FORCED (-1)
static atomic_int forced_isa = NOT_FORCED;

static int is_isa(qk_isa isa) { return (int)isa >= 0 && (int)isa < QK_ISA_COUNT; }

const char *qk_isa_name(qk_isa isa) {
  static const char *const names[QK_ISA_COUNT] = {
    [QK_ISA_REFERENCE] = "reference", [QK_ISA_AVX2] = "avx2", [QK_ISA_AVX512] = "avx512",
    [QK_ISA_AVX512VNNI] = "avx512vnni", [QK_ISA_NEONDOT] = "neondot", [QK_ISA_NEONI8MM] = "neoni8mm",
  };
  return is_isa(isa) ? names[isa] : NULL;
}

int qk_isa_available(qk_isa isa) {
  if (isa == QK_ISA_REFERENCE) return 1;
#if defined(__x86_64__)
  if (isa == QK_ISA_AVX2 || isa == QK_ISA_AVX512 || isa == QK_ISA_AVX512VNNI) return qk_has_x86_features(isa);
#elif defined(__aarch64__)
  if (isa == QK_ISA_NEONDOT) return qk_cpu_has_neondot();
  if (isa == QK_ISA_NEONI8MM) return qk_cpu_has_neondot() && qk_cpu_has_neoni8mm();
#endif
  return 0;
}

int qk_isa_usable(qk_isa isa) { return is_isa(isa) && qk_isa_available(isa); }

qk_isa qk_isa_best(void) {
  for (int isa = QK_ISA_COUNT - 1; isa > QK_ISA_REFERENCE; isa--)
    if (qk_isa_available((qk_isa)isa)) return (qk_isa)isa;
  return QK_ISA_REFERENCE;
}

qk_status qk_isa_force(qk_isa isa) {
  if (!qk_isa_usable(isa)) return QK_ISA_NOT_AVAILABLE;
  atomic_store(&forced_isa, (int)isa);
  return QK_OK;
}

qk_isa qk_isa_current(void) {
  const int forced = atomic_load_explicit(&forced_isa, memory_order_relaxed);
  return forced == NOT_FORCED ? qk_isa_best() : (qk_isa)forced;
}

qk_kernel_set qk_kernels(qk_isa isa) {
  qk_kernel_set set = { .gemm = NULL };
#if defined(__x86_64__)
  // The instruction sets of the other architecture have no kernels here.
  if (isa > QK_ISA_AVX512VNNI) return set;
  if (isa >= QK_ISA_AVX2) {
    set.gemm = &qk_gemm_avx2;
    set.attention = &qk_attention_avx2;
    set.layer_norm = &qk_layer_norm_avx2;
    set.datapath = &qk_datapath_avx2;
    set.bf16_gemm = &qk_bf16_avx2;
    set.float_gemm = &qk_float_avx2;
    set.gradient = &qk_gradient_avx2;
  }
  if (isa >= QK_ISA_AVX512) {
    set.gemm = &qk_gemm_avx512;
    set.layer_norm = &qk_layer_norm_avx512;
    set.datapath = &qk_datapath_avx512;
    set.gradient = &qk_gradient_avx512;
    set.float_gemm = &qk_float_avx512;
    set.bf16_gemm = &qk_bf16_avx512;
  }
  if (isa >= QK_ISA_AVX512VNNI) {
    const int vbmi = __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2");
    set.gemm = vbmi ? &qk_gemm_avx512vnni : &qk_gemm_avx512vnni_without_vbmi;
    set.gradient = &qk_gradient_avx512vnni;
    // Every CPU with these instructions has VNNI. So the set below keeps the kernel without them, and that kernel can
    // be tested on all of these CPUs.
    if (__builtin_cpu_supports("avx512bf16")) set.bf16_gemm = &qk_bf16_avx512bf16;
    if (vbmi) set.look_up = qk_look_up_avx512vbmi;
    if (vbmi) set.attention = &qk_attention_avx512vnni;
  }
#elif defined(__aarch64__)
  if (isa >= QK_ISA_NEONDOT) {
    set.gemm = &qk_gemm_neondot;
    set.attention = &qk_attention_neondot;
    set.layer_norm = &qk_layer_norm_neon;
    set.datapath = &qk_datapath_neon;
    set.float_gemm = &qk_float_neon;
  }
  if (isa >= QK_ISA_NEONI8MM) {
    set.gemm = &qk_gemm_neoni8mm;
    set.attention = &qk_attention_neoni8mm;
  }
#else
  (void)isa;
#endif
  return set;
}

const char *qk_operation_name(qk_operation operation) {
  switch (operation) {
    case QK_OPERATION_GEMM: return "gemm";
    case QK_OPERATION_ATTENTION: return "attention";
    case QK_OPERATION_LAYER_NORM: return "layer-norm";
    case QK_OPERATION_DATAPATH: return "datapath";
    case QK_OPERATION_BF16_GEMM: return "bf16-gemm";
    case QK_OPERATION_FLOAT_GEMM: return "float-gemm";
    case QK_OPERATION_GRADIENT: return "gradient";
    case QK_OPERATION_COUNT: break;
  }
  return NULL;
}

const char *qk_kernel_name(qk_operation operation, qk_isa isa) {
  if (!is_isa(isa)) return NULL;
  const qk_kernel_set set = qk_kernels(isa);
  switch (operation) {
    case QK_OPERATION_GEMM: return set.gemm ? set.gemm->name : "gemm_reference";
    case QK_OPERATION_ATTENTION: return set.attention ? set.attention->name : "attention_reference";
    case QK_OPERATION_LAYER_NORM: return set.layer_norm ? set.layer_norm->name : "layer_norm_reference";
    case QK_OPERATION_DATAPATH: return set.datapath ? set.datapath->name : "datapath_reference";
    case QK_OPERATION_BF16_GEMM: return set.bf16_gemm ? set.bf16_gemm->name : "gemm_bf16_reference";
    case QK_OPERATION_FLOAT_GEMM: return set.float_gemm ? set.float_gemm->name : qk_float_reference.name;
    case QK_OPERATION_GRADIENT: return set.gradient ? set.gradient->name : qk_gradient_reference.name;
    case QK_OPERATION_COUNT: break;
  }
  return NULL;
}
