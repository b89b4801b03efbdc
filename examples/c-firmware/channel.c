/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "channel.h"
#include "board.h"

#define START 0xA5

static uint16_t crc;
static uint8_t sequence;

/* CRC-16/CCITT-FALSE. */
static uint8_t checked(uint8_t byte) {
  crc ^= (uint16_t)(byte << 8);
  for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
  return byte;
}

static void send(size_t byte) { board_send(checked((uint8_t)byte)); }

static void send_length(size_t len) {
  send(len >> 8);
  send(len);
}

void channel_send(uint8_t type, const tokenward_span *fields, size_t count) {
  size_t len = 0;
  for (size_t i = 0; i < count; i++) len += 2 + fields[i].len;
  board_send(START);
  crc = 0xFFFF;
  send(type);
  send(++sequence);
  send_length(len);
  for (size_t i = 0; i < count; i++) {
    send_length(fields[i].len);
    for (size_t at = 0; at < fields[i].len; at++) send(fields[i].ptr[at]);
  }
  const uint16_t sum = crc;
  board_send((uint8_t)(sum >> 8));
  board_send((uint8_t)sum);
}

/* Waits for a byte until `timeout_ms` after `began`. */
static bool next(uint8_t *byte, uint32_t began, uint32_t timeout_ms) {
  while (!board_receive(byte)) {
    if (board_ticks() - began >= timeout_ms) return false;
  }
  checked(*byte);
  return true;
}

static void take_apart(const uint8_t *buf, size_t len, tokenward_span *fields, size_t count) {
  size_t at = 0;
  for (size_t i = 0; i < count; i++) {
    size_t field = 0;
    if (len - at >= 2) {
      field = (size_t)buf[at] << 8 | buf[at + 1];
      at += 2;
    }
    if (field > len - at) field = len - at;
    fields[i] = (tokenward_span){ buf + at, field };
    at += field;
  }
}

bool channel_receive(uint8_t type, uint8_t *buf, size_t cap, uint32_t timeout_ms, tokenward_span *fields,
                     size_t count) {
  const uint32_t began = board_ticks();
  uint8_t byte, header[4];
  for (;;) {
    do {
      if (!next(&byte, began, timeout_ms)) return false;
    } while (byte != START);
    crc = 0xFFFF;
    for (size_t i = 0; i < sizeof header; i++) {
      if (!next(&header[i], began, timeout_ms)) return false;
    }
    const size_t len = (size_t)header[2] << 8 | header[3];
    for (size_t at = 0; at < len; at++) {
      if (!next(&byte, began, timeout_ms)) return false;
      if (at < cap) buf[at] = byte;
    }
    for (int i = 0; i < 2; i++) {
      if (!next(&byte, began, timeout_ms)) return false;
    }
    /* A frame and its check leave zero. */
    if (crc != 0) return false;
    /* What answers an earlier frame came too late. */
    if (header[0] != type || header[1] != sequence) continue;
    take_apart(buf, len < cap ? len : cap, fields, count);
    return true;
  }
}
