// Interface between the attention driver and its kernels: the attention of some queries of one image and head.
#ifndef QK_INTEGER_ATTENTION_H
#define QK_INTEGER_ATTENTION_H

#include "ckernels/integer.h"

/// Queries first_query…first_query+queries−1 of one image and head.
typedef struct qk_attention_task {
  const qk_attention_arguments *arguments;
  const void *shared;                  ///< written by `prepare`
  const int8_t *q, *k, *v;             ///< rows of the head, 3·heads·head_dimension bytes apart; q at the first query
  size_t stride;
  int32_t queries;
  int8_t *output;                      ///< of the first query, heads·head_dimension bytes apart
  size_t output_stride;
} qk_attention_task;

typedef struct qk_attention_kernel {
  const char *name;
  int32_t tile_queries;                ///< blocks of queries are multiples of it
  /// Largest number of queries of a task that its work buffers allow.
  int32_t (*most_queries)(const qk_attention_arguments *arguments);
  /// Bytes shared by all tasks of a call; they hold tables in the kernel's form.
  size_t shared_bytes;
  void (*prepare)(const qk_attention_arguments *arguments, void *shared);
  size_t (*scratch_bytes)(const qk_attention_arguments *arguments);
  void (*attend)(const qk_attention_task *task, void *scratch);
} qk_attention_kernel;

/// Cuts, distributes and runs a checked call.
qk_status qk_attention_blocked(const qk_attention_kernel *kernel, const qk_attention_arguments *arguments);

#endif
