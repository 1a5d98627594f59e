import { Module } from '@nestjs/common';
import { ClusterController } from './cluster.controller.js';
import { DomainsController } from './domains.controller.js';
import { DomainsService } from './domains.service.js';
import { FlowsService } from './flows.service.js';
import { ObjectsService } from './objects.service.js';
import { StatusService, StatusViews } from './status.service.js';

@Module({
  controllers: [ClusterController, DomainsController],
  providers: [DomainsService, FlowsService, ObjectsService, StatusService, StatusViews],
  exports: [StatusService, StatusViews],
})
export class ClusterModule {}
