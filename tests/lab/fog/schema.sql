-- FOG's tables that multicast touches, for the lab: schema 270 (FOG 1.5.9 and 1.5.10), written from facts/fog.md
-- section 1. The lab test compares them with a recorded schema where one is at hand.
-- Read by "mariadbd --bootstrap", which wants every statement to end with a line's end.

CREATE DATABASE IF NOT EXISTS fog CHARACTER SET utf8mb3;
USE fog;

CREATE TABLE schemaVersion (
  vID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  vValue int(11) NOT NULL
) ENGINE=MyISAM;

CREATE TABLE globalSettings (
  settingID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  settingKey varchar(255) NOT NULL,
  settingDesc longtext NOT NULL,
  settingValue longtext NOT NULL,
  settingCategory longtext NOT NULL,
  UNIQUE KEY setting_key (settingKey)
) ENGINE=MyISAM;

CREATE TABLE nfsGroups (
  ngID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ngName varchar(250) NOT NULL,
  ngDesc longtext NOT NULL,
  UNIQUE KEY group_name (ngName)
) ENGINE=MyISAM;

CREATE TABLE nfsGroupMembers (
  ngmID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ngmMemberName varchar(250) NOT NULL,
  ngmMemberDescription longtext NOT NULL,
  ngmIsMasterNode char(1) NOT NULL,
  ngmGroupID int(11) NOT NULL,
  ngmRootPath longtext NOT NULL,
  ngmSSLPath longtext NOT NULL,
  ngmFTPPath longtext NOT NULL,
  ngmMaxBitrate varchar(25) DEFAULT NULL,
  ngmHelloInterval varchar(8) DEFAULT NULL,
  ngmSnapinPath longtext NOT NULL,
  ngmIsEnabled char(1) NOT NULL,
  ngmHostname varchar(250) NOT NULL,
  ngmMaxClients int(11) NOT NULL,
  ngmBandwidthLimit int(20) NOT NULL,
  ngmUser varchar(250) NOT NULL,
  ngmPass varchar(250) NOT NULL,
  ngmKey varchar(250) NOT NULL,
  ngmInterface varchar(25) NOT NULL DEFAULT 'eth0',
  ngmGraphEnabled enum('0','1') NOT NULL DEFAULT '1',
  ngmWebroot longtext NOT NULL,
  UNIQUE KEY member_name (ngmMemberName),
  KEY member_master (ngmIsMasterNode),
  KEY member_group (ngmGroupID),
  KEY member_enabled (ngmIsEnabled)
) ENGINE=MyISAM;

CREATE TABLE hosts (
  hostID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  hostName varchar(16) NOT NULL,
  hostDesc longtext NOT NULL,
  hostIP varchar(25) NOT NULL,
  hostImage int(11) NOT NULL,
  hostBuilding int(11) NOT NULL,
  hostCreateDate timestamp NOT NULL DEFAULT current_timestamp(),
  hostLastDeploy datetime NOT NULL,
  hostCreateBy varchar(50) NOT NULL,
  hostUseAD char(1) NOT NULL,
  hostADDomain varchar(250) NOT NULL,
  hostADOU longtext NOT NULL,
  hostADUser varchar(250) NOT NULL,
  hostADPass varchar(250) NOT NULL,
  hostADPassLegacy longtext NOT NULL,
  hostProductKey longtext DEFAULT NULL,
  hostPrinterLevel varchar(2) NOT NULL,
  hostKernelArgs varchar(250) NOT NULL,
  hostKernel varchar(250) NOT NULL,
  hostDevice varchar(250) NOT NULL,
  hostInit longtext DEFAULT NULL,
  hostPending enum('0','1') NOT NULL,
  hostPubKey longtext NOT NULL,
  hostSecToken longtext NOT NULL,
  hostSecTime timestamp NOT NULL,
  hostPingCode varchar(20) DEFAULT NULL,
  hostExitBios longtext DEFAULT NULL,
  hostExitEfi longtext DEFAULT NULL,
  hostEnforce enum('0','1') NOT NULL DEFAULT '1',
  UNIQUE KEY host_name (hostName),
  KEY host_ip (hostIP),
  KEY host_ad (hostUseAD)
) ENGINE=MyISAM;

CREATE TABLE images (
  imageID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  imageName varchar(40) NOT NULL,
  imageDesc longtext NOT NULL,
  imagePath longtext NOT NULL,
  imageProtect mediumint(9) NOT NULL,
  imageMagnetUri longtext NOT NULL,
  imageDateTime timestamp NOT NULL DEFAULT current_timestamp(),
  imageCreateBy varchar(50) NOT NULL,
  imageBuilding int(11) NOT NULL,
  imageSize varchar(255) NOT NULL,
  imageTypeID mediumint(9) NOT NULL,
  imagePartitionTypeID mediumint(9) NOT NULL,
  imageOSID mediumint(9) NOT NULL,
  imageFormat char(1) DEFAULT NULL,
  imageLastDeploy datetime NOT NULL,
  imageCompress int(11) DEFAULT NULL,
  imageEnabled enum('0','1') NOT NULL DEFAULT '1',
  imageReplicate enum('0','1') NOT NULL DEFAULT '1',
  imageServerSize bigint(20) unsigned NOT NULL DEFAULT 0,
  UNIQUE KEY image_name (imageName),
  KEY image_building (imageBuilding),
  KEY image_type (imageTypeID)
) ENGINE=MyISAM;

CREATE TABLE imageGroupAssoc (
  igaID mediumint(9) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  igaImageID mediumint(9) NOT NULL,
  igaStorageGroupID mediumint(9) NOT NULL,
  igaPrimary enum('0','1') NOT NULL,
  UNIQUE KEY image_group (igaImageID, igaStorageGroupID)
) ENGINE=MyISAM;

CREATE TABLE multicastSessions (
  msID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  msName varchar(250) NOT NULL,
  msBasePort int(11) NOT NULL,
  msLogPath longtext NOT NULL,
  msImage longtext NOT NULL,
  msClients int(11) NOT NULL,
  msSessClients int(11) NOT NULL,
  msInterface varchar(250) NOT NULL,
  msStartDateTime datetime NOT NULL,
  msPercent int(11) NOT NULL,
  msState int(11) NOT NULL,
  msCompleteDateTime datetime NOT NULL,
  msIsDD int(11) NOT NULL,
  msNFSGroupID int(11) NOT NULL,
  msAnon3 varchar(250) NOT NULL,
  msAnon4 varchar(250) NOT NULL,
  msAnon5 varchar(250) NOT NULL,
  KEY session_group (msNFSGroupID)
) ENGINE=MyISAM;

CREATE TABLE multicastSessionsAssoc (
  msaID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  msID int(11) NOT NULL,
  tID int(11) NOT NULL,
  UNIQUE KEY session_task (msID, tID),
  KEY association_session (msID),
  KEY association_task (tID)
) ENGINE=MyISAM;

CREATE TABLE tasks (
  taskID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  taskName varchar(250) NOT NULL,
  taskCreateTime timestamp NOT NULL DEFAULT current_timestamp(),
  taskCheckIn datetime NOT NULL,
  taskHostID int(11) NOT NULL,
  taskImageID int(11) NOT NULL,
  taskStateID int(11) NOT NULL,
  taskIsDebug mediumint(9) NOT NULL,
  taskCreateBy varchar(200) NOT NULL,
  taskForce varchar(1) NOT NULL,
  taskScheduledStartTime datetime NOT NULL,
  taskTypeID mediumint(9) NOT NULL,
  taskPCT int(10) unsigned zerofill NOT NULL,
  taskBPM varchar(250) NOT NULL,
  taskTimeElapsed varchar(250) NOT NULL,
  taskTimeRemaining varchar(250) NOT NULL,
  taskDataCopied varchar(250) NOT NULL,
  taskPercentText varchar(250) NOT NULL,
  taskDataTotal varchar(250) NOT NULL,
  taskNFSGroupID int(11) NOT NULL,
  taskNFSMemberID int(11) NOT NULL,
  taskNFSFailures char(1) NOT NULL,
  taskLastMemberID int(11) NOT NULL,
  taskWOL enum('0','1') NOT NULL,
  taskPassreset varchar(250) NOT NULL,
  taskShutdown char(1) NOT NULL,
  KEY task_host (taskHostID),
  KEY task_check_in (taskCheckIn),
  KEY task_state (taskStateID),
  KEY task_force (taskForce),
  KEY task_type (taskTypeID),
  KEY task_group (taskNFSGroupID),
  KEY task_member (taskNFSMemberID),
  KEY task_failures (taskNFSFailures),
  KEY task_last_member (taskLastMemberID)
) ENGINE=MyISAM;

CREATE TABLE taskStates (
  tsID int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  tsName varchar(30) NOT NULL,
  tsDescription text NOT NULL,
  tsOrder tinyint(4) NOT NULL DEFAULT 0,
  tsIcon varchar(255) NOT NULL,
  UNIQUE KEY state_name (tsName)
) ENGINE=MyISAM;

CREATE TABLE taskTypes (
  ttID mediumint(9) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ttName varchar(30) NOT NULL,
  ttDescription text NOT NULL,
  ttIcon varchar(30) NOT NULL,
  ttKernel varchar(100) NOT NULL,
  ttKernelArgs text NOT NULL,
  ttType enum('fog','user') NOT NULL DEFAULT 'user',
  ttIsAdvanced enum('0','1') NOT NULL DEFAULT '0',
  ttIsAccess enum('both','host','group') NOT NULL DEFAULT 'both',
  ttInitrd longtext NOT NULL,
  UNIQUE KEY type_name (ttName)
) ENGINE=MyISAM;

INSERT INTO schemaVersion VALUES (1, 270);

INSERT INTO taskStates VALUES
  (1, 'Queued', '', 1, ''),
  (2, 'Checked In', '', 2, ''),
  (3, 'In-Progress', '', 3, ''),
  (4, 'Complete', '', 4, ''),
  (5, 'Cancelled', '', 5, '');

INSERT INTO taskTypes (ttID, ttName, ttDescription, ttIcon, ttKernel, ttKernelArgs, ttType, ttIsAccess, ttInitrd) VALUES
  (1, 'Deploy', '', '', '', '', 'fog', 'both', ''),
  (2, 'Capture', '', '', '', '', 'fog', 'host', ''),
  (8, 'Multi-Cast', '', '', '', '', 'fog', 'group', '');

INSERT INTO globalSettings (settingKey, settingDesc, settingValue, settingCategory) VALUES
  ('FOG_WEB_HOST', '', '', 'Web Server'),
  ('FOG_NFS_ETH_MONITOR', '', 'eth0', 'NFS Server'),
  ('FOG_UDPCAST_INTERFACE', '', 'eth0', 'Multicast Settings'),
  ('FOG_UDPCAST_STARTINGPORT', '', '63100', 'Multicast Settings'),
  ('FOG_UDPCAST_MAXWAIT', '', '10', 'Multicast Settings'),
  ('FOG_MULTICAST_MAX_SESSIONS', '', '64', 'Multicast Settings'),
  ('FOG_MULTICAST_ADDRESS', '', '0', 'Multicast Settings'),
  ('FOG_MULTICAST_PORT_OVERRIDE', '', '0', 'Multicast Settings'),
  ('FOG_MULTICAST_DUPLEX', '', '--full-duplex', 'Multicast Settings'),
  ('FOG_MULTICAST_RENDEZVOUS', '', '', 'Multicast Settings'),
  ('FOG_TZ_INFO', '', 'UTC', 'General Settings'),
  ('FOG_API_ENABLED', '', '0', 'API System'),
  ('MULTICASTGLOBALENABLED', '', '1', 'FOG Linux Service Enabled'),
  ('MULTICASTSLEEPTIME', '', '10', 'FOG Linux Service Sleep Times'),
  ('SERVICESLEEPTIME', '', '300', 'FOG Linux Service Sleep Times'),
  ('MULTICASTLOGFILENAME', '', 'multicast.log', 'FOG Linux Service Logs'),
  ('SERVICE_LOG_PATH', '', '/opt/fog/log/', 'FOG Linux Service Logs'),
  ('SERVICE_LOG_SIZE', '', '1000000', 'FOG Linux Service Logs'),
  ('SERVICEMASTERLOGFILENAME', '', 'servicemaster.log', 'FOG Linux Service Logs');

INSERT INTO nfsGroups VALUES (1, 'default', '');
