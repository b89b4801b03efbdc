/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The framed protocol on the UART: see README.md. One thing is out at a time, and the device speaks first. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <tokenward/tokenward.h>

#define FRAME_HELLO 'H'
#define FRAME_SETUP 'S'
#define FRAME_REQUEST 'Q'
#define FRAME_RESPONSE 'R'
#define FRAME_EVENT 'E'
#define FRAME_BUTTON 'B'
#define FRAME_PRESSED 'P'
#define FRAME_CODE 'C'

/* Sends a frame of fields. */
void channel_send(uint8_t type, const tokenward_span *fields, size_t count);

/* Waits for the frame of this type that answers the last one sent, and takes it apart; the spans point into the
 * buffer. Where that is too small the last fields are cut short. False: none in time, or its check fails. */
bool channel_receive(uint8_t type, uint8_t *buf, size_t cap, uint32_t timeout_ms, tokenward_span *fields,
                     size_t count);

#endif
