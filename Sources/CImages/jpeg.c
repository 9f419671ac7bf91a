#include "quasar_images.h"

#include <string.h>
#include <turbojpeg.h>

static void note(tjhandle handle, char *message) {
  strncpy(message, tjGetErrorStr2(handle), QK_IMAGE_MESSAGE - 1);
  message[QK_IMAGE_MESSAGE - 1] = 0;
}

// 1 for a warning about bytes that no marker needs; cameras and editors leave such files.
static int is_harmless(tjhandle handle) {
  const char *text = tjGetErrorStr2(handle);
  return tjGetErrorCode(handle) == TJERR_WARNING &&
         (strstr(text, "extraneous bytes") || strstr(text, "JFIF revision") || strstr(text, "Adobe color transform"));
}

static int scaled(int side, int denominator) { return (side + denominator - 1) / denominator; }

static qk_image_status read_header(
    tjhandle handle, const uint8_t *file, size_t count, int denominator, qk_image_shape *shape, char *message) {
  int width = 0, height = 0, subsampling = 0, space = 0;
  int failed = tjDecompressHeader3(handle, file, (unsigned long)count, &width, &height, &subsampling, &space);
  if ((failed && !is_harmless(handle)) || width < 1 || height < 1) {
    note(handle, message);
    return QK_IMAGE_DAMAGED;
  }
  if ((int64_t)width * height > QK_IMAGE_LARGEST) return QK_IMAGE_TOO_LARGE;
  int inks = space == TJCS_CMYK || space == TJCS_YCCK;
  *shape = (qk_image_shape){
      .width = scaled(width, denominator),
      .height = scaled(height, denominator),
      .channels = space == TJCS_GRAY ? 1 : 3,
      .samples = space == TJCS_GRAY ? 1 : inks ? 4 : 3};
  return QK_IMAGE_OK;
}

qk_image_status qk_jpeg_shape(
    const uint8_t *file, size_t count, int denominator, qk_image_shape *shape, char *message) {
  message[0] = 0;
  tjhandle handle = tjInitDecompress();
  if (!handle) return QK_IMAGE_NO_MEMORY;
  qk_image_status status = read_header(handle, file, count, denominator, shape, message);
  tjDestroy(handle);
  return status;
}

// In place: the target never overtakes the source.
static void mix_inks(uint8_t *pixels, size_t points) {
  uint8_t *target = pixels;
  for (size_t i = 0; i < points; i++) {
    const uint8_t *source = pixels + 4 * i;
    unsigned black = source[3];
    for (int c = 0; c < 3; c++) *target++ = (uint8_t)((source[c] * black + 127) / 255);
  }
}

qk_image_status qk_jpeg_decode(
    const uint8_t *file, size_t count, int denominator, const qk_image_shape *shape, uint8_t *pixels, char *message) {
  message[0] = 0;
  tjhandle handle = tjInitDecompress();
  if (!handle) return QK_IMAGE_NO_MEMORY;
  qk_image_shape found;
  qk_image_status status = read_header(handle, file, count, denominator, &found, message);
  if (status == QK_IMAGE_OK && memcmp(&found, shape, sizeof found) != 0) {
    strncpy(message, "the header has changed", QK_IMAGE_MESSAGE);
    status = QK_IMAGE_DAMAGED;
  }
  if (status == QK_IMAGE_OK) {
    int format = found.samples == 1 ? TJPF_GRAY : found.samples == 4 ? TJPF_CMYK : TJPF_RGB;
    int failed = tjDecompress2(
        handle, file, (unsigned long)count, pixels, found.width, 0, found.height, format,
        TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
    if (failed && !is_harmless(handle)) {
      note(handle, message);
      status = QK_IMAGE_DAMAGED;
    } else if (found.samples == 4) {
      mix_inks(pixels, (size_t)found.width * (size_t)found.height);
    }
  }
  tjDestroy(handle);
  return status;
}
