# SPDX-License-Identifier: Apache-2.0
haul_part(rdma loopback USES rdma_link)
haul_transport(loopback)
