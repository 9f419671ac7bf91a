// CKernels: all arithmetic of Quasar, in C. This is the umbrella header.
//
// Every function that can refuse its arguments returns a qk_status. Nothing here prints or exits. No intrinsics header
// is included, so the module imports cleanly into Swift.
//
// Memory. Operands, results and everything prepared (packed weights, row constants, panels, workspaces) are in memory
// of the caller. Work buffers come from qk_scratch (parallel.h) and nowhere else. Each thread owns at most four of
// them, one per qk_scratch_use. A buffer is allocated, in whole pages of 4 KiB, when a call needs more bytes than every
// earlier call with that use on that thread. It replaces the smaller one and lives until a larger one replaces it, or
// its thread exits. So the steady state allocates nothing: once a thread has served its largest sizes, its calls reuse
// its buffers. These calls use buffers:
//
//   QK_SCRATCH_CALL, on the calling thread: qk_gemm without prepared constants; qk_attention; qk_layer_norm on AVX-512;
//     qk_bf16_gemm, qk_sgemm and qk_linear
//   QK_SCRATCH_TASK, on every thread that takes part: qk_gemm, qk_attention, qk_bf16_gemm, qk_sgemm, qk_linear and
//     qk_weight_gradients
//   QK_SCRATCH_BLOCK_CALL, on the calling thread: qk_training_block_… and qk_training_patches_…, forward and backward
//   QK_SCRATCH_BLOCK_TASK, on every thread that takes part: qk_training_block_… and qk_float_attention_backward
//
// The functions of the last two lines, and qk_float_attention_forward, also use the buffers of the operations that they
// call. A _with variant behaves like its operation. The plain loops of the qk_…_reference functions, to which some
// operations fall back, use no buffer. Every other function allocates nothing. A call that gets no buffer returns
// QK_OUT_OF_MEMORY.
//
// Two libraries keep memory of their own. libomp makes the threads of a team when a thread first calls qk_parallel_for
// for more than one thread, and again when the number of threads grows. OpenBLAS keeps the buffers of
// qk_inverse_factor.
#ifndef CKERNELS_H
#define CKERNELS_H

#include "ckernels/status.h"
#include "ckernels/parallel.h"
#include "ckernels/profile.h"
#include "ckernels/dispatch.h"
#include "ckernels/arithmetic.h"
#include "ckernels/pack.h"
#include "ckernels/integer.h"
#include "ckernels/datapath.h"
#include "ckernels/random.h"
#include "ckernels/training.h"
#include "ckernels/bfloat16.h"
#include "ckernels/gradient.h"
#include "ckernels/training_block.h"
#include "ckernels/training_patches.h"

#endif
