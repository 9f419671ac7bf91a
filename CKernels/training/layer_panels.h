// Weight codes of the layers of a block as right operands of the input gradients. They are laid out when a backward
// pass begins, so that only the panels of one block are in memory.
#ifndef QK_LAYER_PANELS_H
#define QK_LAYER_PANELS_H

#include "block_memory.h"
#include "ckernels/training_block.h"

enum { QK_BLOCK_LAYERS = 4 };

typedef struct qk_layer_panels {
  qk_gradient_form form;
  const qk_training_linear *layers[QK_BLOCK_LAYERS];
  uint8_t *panels[QK_BLOCK_LAYERS];
} qk_layer_panels;

/// Takes the memory of all layers of the block.
void qk_take_layer_panels(const qk_training_block *block, qk_memory *memory, qk_layer_panels *p);
/// Lays out all codes, on all threads.
void qk_fill_layer_panels(qk_layer_panels *p);
/// The panels of a layer of the block.
const void *qk_panels_of(const qk_layer_panels *p, const qk_training_linear *layer);

#endif
